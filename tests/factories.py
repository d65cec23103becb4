"""Make objects for tests. Each function stands alone; alice owns, bob shares, charlie must see nothing."""

from __future__ import annotations
