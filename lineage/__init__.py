"""Lineage: names, facts, events, the ledger and the audit. Floor 2: stands on contracts."""
