"""Long polling: delays a response until the render changes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from core.exceptions import InvalidParameter
from core.request_timings import timed_client_wait
from renders.models import Render
from renders.states import TERMINAL
from renders.waiting.progress import ProgressSnapshot
from renders.waiting.shutdown import is_shutting_down
from renders.waiting.waiter_slots import waiter_slots
from renders.waiting.watcher import watcher

MAX_WAIT_S = 30
_SECONDS = re.compile(r"\d{1,4}(\.\d{1,3})?", re.ASCII)
# Source: RFC 7240, sections 2 and 4.3. Preferences with parameters or quoted values are skipped, not refused.
_PREFERENCE = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])', re.ASCII | re.IGNORECASE)


def parse_wait(text: str) -> float:
    """Return the value of `?wait=`. Raises InvalidParameter unless it is 0 to 30 seconds."""
    if not _SECONDS.fullmatch(text) or float(text) > MAX_WAIT_S:
        raise InvalidParameter("wait", f"wait must be a number of seconds from 0 to {MAX_WAIT_S}.")
    return float(text)


def preferred_wait_s(header: str) -> int | None:
    """Return the `wait` preference of a `Prefer` header in seconds, capped at 30; None without one."""
    found = _PREFERENCE.search(header)
    return None if found is None else min(int(found[1]), MAX_WAIT_S)


def wait_for_change(render: Render, *, seconds: float) -> bool:
    """Wait until the status differs from that of `render`, or the time is over; return whether there was a slot.

    Returns at once if the render has ended, no slot is free, or the server shuts down.
    """
    return _wait(render, seconds, lambda snapshot: snapshot.status != render.status)


def wait_for_end(render: Render, *, seconds: float) -> bool:
    """Wait until the render has ended, under the conditions of `wait_for_change`."""
    return _wait(render, seconds, lambda snapshot: snapshot.status in TERMINAL)


def _wait(render: Render, seconds: float, is_enough: Callable[[ProgressSnapshot], bool]) -> bool:
    if seconds <= 0 or render.status in TERMINAL:
        return True
    until = time.monotonic() + seconds
    with waiter_slots().hold(render.owner_id) as has_slot:
        if not has_slot:
            return False
        with timed_client_wait(), watcher().watching(render.pk) as subscription:
            while (left_s := until - time.monotonic()) > 0 and not is_shutting_down():
                snapshot = subscription.wait(left_s)
                if snapshot is not None and is_enough(snapshot):
                    break
    return True
