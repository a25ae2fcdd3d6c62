"""Streams: cleaning, landing, and the tables and topics between. Floor 3: stands on contracts and lineage."""
