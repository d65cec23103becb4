"""Views of projects, templates, renders, batches, estimates and external workers."""
