"""The Django project: settings, urls, servers. Wiring only, no rules."""

import gc

from core.sqlite import install_newer_sqlite

# Must run before Django imports sqlite3.
install_newer_sqlite()
# Loading all apps creates a million long-lived objects; collecting among them took a sixth of the startup time.
gc.set_threshold(10_000, 10, 10)
