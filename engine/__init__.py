"""The media engine: edit -> timeline -> plan -> FFmpeg -> files. Pure Python, no Django, usable on its own."""
