"""Engines: wiring alone. They fetch, call a pure hop function, and commit."""
