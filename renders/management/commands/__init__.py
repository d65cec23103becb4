"""Management commands of renders."""
