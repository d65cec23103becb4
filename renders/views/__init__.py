"""The endpoints of projects, templates, renders and estimates."""
