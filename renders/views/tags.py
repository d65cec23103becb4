"""Entity tags of renders."""

from __future__ import annotations

from django.db import connection
from rest_framework.request import Request

from core.api.conditional import row_tag, tag_of_row
from core.api.etags import EntityTag
from core.database import fetch_row
from core.files.links import link_context
from core.front.rows import Asked, Missing
from core.ids import decode_id
from renders.models import Render
from renders.states import TERMINAL

# By its primary key, and then whose it is: somebody else's is no row.
_VERSION = f"SELECT row_version, status FROM {Render._meta.db_table} WHERE id = %s AND owner_id = %s"  # noqa: S608


def render_tag(request: Request, render: Render, *, position: int | None = None, part: str = "") -> EntityTag:
    """Return the tag of a render: strong once it has ended, weak while it goes on.

    position: its place in the queue, where the body shows it, as it moves without the row; part: `edit` or `log`.
    """
    shown = (part, position, None if part else link_context(request))
    return row_tag(request, render, *shown, weak=not render.is_terminal)


def tag_asked_for(asked: Asked) -> EntityTag | Missing | None:
    """Return the tag of a render that has ended, without reading the rest of it; others are left to the view."""
    try:
        pk = decode_id(Render.ID_PREFIX, asked.text)
    except ValueError:
        return Missing.ROW
    to_database = Render._meta.pk.get_db_prep_value
    row = fetch_row(_VERSION, [to_database(value, connection) for value in (pk, asked.owner_id)])
    if row is None:
        return Missing.ROW
    row_version, status = row
    if status not in TERMINAL:
        return None
    return tag_of_row(pk, row_version, asked.version, asked.media_type, ("", None, asked.links), weak=False)
