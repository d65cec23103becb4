"""Uploads, imports by URL, probing, holds."""
