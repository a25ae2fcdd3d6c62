"""Where streams meet Kafka, Delta and the sources of the examples: one foreign system a file."""
