"""One machine: server and worker together, for `make run` and `make demo`."""
