"""The Django project: settings, urls, servers. Wiring only, no rules."""

import gc

from core.sqlite import install_newer_sqlite

# Before Django opens its first database module, or the swap has no effect.
install_newer_sqlite()
# Loading all apps makes a million objects that stay; looking through them over and over took a sixth of each start.
gc.set_threshold(10_000, 10, 10)
