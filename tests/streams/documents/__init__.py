"""Tests of documents: their readers, their steps, and their way through the clean hop."""
