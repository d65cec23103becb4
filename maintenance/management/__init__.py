"""Commands of the maintenance app."""
