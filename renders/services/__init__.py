"""Services of renders: every write of projects, templates, batches and renders."""
