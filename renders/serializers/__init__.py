"""Serializers of projects, templates, batches and renders."""
