"""What a worker does with one render: fetch, probe, resolve, render, save."""
