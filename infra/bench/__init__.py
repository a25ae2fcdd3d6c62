"""Benchmarks: both sides interleaved in one run, as ratios with their spread."""
