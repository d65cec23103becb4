"""Media probe: identifies local files by content, in a limited process.

Nothing is imported here, so that `engine.probe.worker` loads only the decoders.
"""
