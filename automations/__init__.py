"""Triggers and schedules that submit renders or notify. Nothing lives here yet; the layer keeps its place."""
