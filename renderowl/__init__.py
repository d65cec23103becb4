"""The Django project: settings, urls, servers. Wiring only, no rules."""

from core.sqlite import install_newer_sqlite

# Before Django opens its first database module, or the swap has no effect.
install_newer_sqlite()
