"""Engines of the feature hops: they read, call a pure function, and commit."""
