"""Waiting for changes of renders: long polling, `Prefer: wait` and event streams."""
