"""The probing process: everything here meets files that nobody has looked at yet, and runs under limits.

It is a package of its own so that starting it loads the decoders and nothing else.
"""
