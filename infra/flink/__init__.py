"""Flink: a session cluster of our own or anybody's, the job that cleans on it, and what it did told to the ledger."""
