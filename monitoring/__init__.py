"""Monitoring: health checks, performance, metrics, tracing and alerts. No other app imports it."""
