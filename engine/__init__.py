"""The media engine: edit -> timeline -> plan -> FFmpeg -> files. Pure Python, no Django, usable on its own.

The steps, in order: `engine.language.parse_edit` and `sources`, `engine.probe.probe_files`,
`engine.timeline.resolve`, `engine.pipeline.render_timeline`. Errors are in `engine.errors`. Nothing is imported
here, so that a process that needs one part (drawing, probing, launching) starts without the others.
"""
