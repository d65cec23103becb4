"""What Prometheus reads: `/metrics`. See docs/decisions/0020-health.md."""
