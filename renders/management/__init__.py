"""Commands of the renders app."""
