"""Signed, expiring URLs of stored files."""
