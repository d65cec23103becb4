"""Serializers of the API, one module a subject."""
