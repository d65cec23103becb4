"""Outbound HTTP that refuses private addresses, and signed messages. Free of Django."""
