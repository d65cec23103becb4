"""Entity tags of renders."""

from __future__ import annotations

from rest_framework.request import Request

from core.api.conditional import row_tag
from core.api.etags import EntityTag
from core.files.links import link_context
from renders.models import Render


def render_tag(request: Request, render: Render, *, position: int | None = None, part: str = "") -> EntityTag:
    """Return the tag of a render: strong once it has ended, weak while it goes on.

    position: its place in the queue, where the body shows it, as it moves without the row; part: `edit` or `log`.
    """
    shown = (part, position, None if part else link_context(request))
    return row_tag(request, render, *shown, weak=not render.is_terminal)
