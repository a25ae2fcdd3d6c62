"""Where features meet Feast, the online stores and the embedding model."""
