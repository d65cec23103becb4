"""Every write of projects, templates and renders."""
