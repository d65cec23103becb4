"""Health checks, and the endpoints `/live`, `/ready` and `/health`."""
