"""Webhook event types, payloads, retry delays and HTTP requests. Writes no rows."""
