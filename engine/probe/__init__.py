"""What a local file is: by content, examined in a limited process.

Nothing is imported here, so that starting `engine.probe.worker` loads the decoders and nothing else.
"""
