"""Where lineage meets ledger files and Marquez."""
