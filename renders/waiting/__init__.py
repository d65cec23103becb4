"""Wait for what becomes of renders: long-poll, `Prefer: wait` and event streams."""
