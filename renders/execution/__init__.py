"""Execution of a render in a worker: fetch, probe, resolve, render, save."""
