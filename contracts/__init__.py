"""Contracts: what a topic's records must be, and what follows from it. Floor 1: knows nothing of the rooms above."""
