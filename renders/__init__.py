"""The product: projects, templates, renders, their state machine, their API."""
