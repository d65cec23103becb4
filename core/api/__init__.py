"""The plumbing that every endpoint shares, so that each viewset stays a few lines."""
