"""API views of notifications, one module per subject."""
