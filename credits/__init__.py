"""The ledger: reserve, settle, refund, grant."""
