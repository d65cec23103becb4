"""Hold an answer back until something happened."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from core.exceptions import InvalidParameter
from core.request_timings import waiting_for_client
from renders.models import Render
from renders.states import TERMINAL
from renders.waiting.places import places
from renders.waiting.standings import Standing
from renders.waiting.stopping import is_stopping
from renders.waiting.watcher import watcher

MAX_WAIT_S = 30
_SECONDS = re.compile(r"\d{1,4}(\.\d{1,3})?", re.ASCII)
# Source: RFC 7240, sections 2 and 4.3. Preferences with parameters or quoted values are skipped, not refused.
_PREFERENCE = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])', re.ASCII | re.IGNORECASE)


def seconds_of(text: str) -> float:
    """Return the value of `?wait=`.

    Raises InvalidParameter unless it is 0 to 30 seconds.
    """
    if not _SECONDS.fullmatch(text) or float(text) > MAX_WAIT_S:
        raise InvalidParameter("wait", f"wait must be a number of seconds from 0 to {MAX_WAIT_S}.")
    return float(text)


def preferred_wait_s(header: str) -> int | None:
    """Return for how long the `Prefer` header asks to wait, at most 30 s; None where it does not ask."""
    found = _PREFERENCE.search(header)
    return None if found is None else min(int(found[1]), MAX_WAIT_S)


def wait_for_change(render: Render, *, seconds: float) -> bool:
    """Wait until the render has another status than the row says, at most so long; return whether there was a place.

    Returns at once for one that has ended, where too many wait already, and when the server stops.
    """
    return _wait(render, seconds, lambda standing: standing.status != render.status)


def wait_for_end(render: Render, *, seconds: float) -> bool:
    """Do the same until the render has ended."""
    return _wait(render, seconds, lambda standing: standing.status in TERMINAL)


def _wait(render: Render, seconds: float, is_enough: Callable[[Standing], bool]) -> bool:
    if seconds <= 0 or render.status in TERMINAL:
        return True
    until = time.monotonic() + seconds
    with places().place(render.owner_id) as has_place:
        if not has_place:
            return False
        with waiting_for_client(), watcher().watching(render.pk) as ticket:
            while (left_s := until - time.monotonic()) > 0 and not is_stopping():
                standing = ticket.wait(left_s)
                if standing is not None and is_enough(standing):
                    break
    return True
