"""External workers: they claim, fetch, render, upload and report over HTTP, without database or storage."""
