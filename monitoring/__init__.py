"""Watch the service: health today; performance, metrics, tracing and alerts as they land. Imported by none."""
