"""Credit accounts and their ledger."""
