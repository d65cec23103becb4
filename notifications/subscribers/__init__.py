"""What this app does when others report, one module a subject."""
