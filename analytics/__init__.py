"""Event log and its aggregates. Nothing lives here yet; the layer keeps its place."""
