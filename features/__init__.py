"""Features: aggregates, joins, training sets, serving. Floor 4: stands on streams."""
