"""Fetch what clients name, without becoming their tool against the network that this runs in."""
