"""Serializers of notifications, one module per subject."""
