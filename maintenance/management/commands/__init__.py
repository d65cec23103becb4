"""Management commands of the maintenance app, one per module."""
