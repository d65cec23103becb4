"""What Prometheus reads: `/metrics`. See docs/decisions/0020-health-checks-and-metrics-checks-and-metrics.md."""
