"""Launchers of `make run` and `make demo`: server and worker on one machine."""
