"""Serializers of projects, templates and renders in the API."""
