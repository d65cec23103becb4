"""Renders: projects, templates, batches and renders, with their state machine and API."""
