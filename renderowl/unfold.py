"""The look of the admin: names, sidebar, colours."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Renderowl",
    "SITE_HEADER": "Renderowl",
    "SITE_SYMBOL": "movie",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
}
