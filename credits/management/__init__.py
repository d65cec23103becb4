"""Management commands of credits."""
