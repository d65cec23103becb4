"""Outbound HTTP, safe from private addresses, and signed messages. Free of Django."""
