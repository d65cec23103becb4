"""Prometheus metrics: `/metrics`. See docs/decisions/0020-health-checks-and-metrics.md."""
