"""Inbox and outbound webhooks. Nothing lives here yet; the layer keeps its place."""
