"""Bodies that are wrong by themselves, refused at the front door; and whoever posts without a good credential."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from rest_framework.exceptions import ParseError

from core.api.negotiation import VENDOR_TYPES, negotiate
from core.api.parsers import parse_json
from core.api.problems import build_unacceptable
from core.front.callers import Refused, caller_reader
from core.front.parts import Answer, fixed_headers, refusal, refuse, take_one
from core.front.table import Spot

# Larger ones are most likely edits that are right, and would be read twice.
LARGEST_BYTES = 8 * 1024
_JSON = frozenset({"application/json", "application/json; charset=utf-8"})
# What a request with one of these is answered, more than its body decides.
_CONDITIONS = frozenset({"HTTP_IDEMPOTENCY_KEY", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_CONTENT_ENCODING"})


def answer_post(environ: dict[str, Any], spot: Spot) -> Answer | None:
    """Return the refusal of a POST, None where Django has to answer; then its body can be read once more."""
    write, length, accept = spot.write, environ.get("CONTENT_LENGTH", ""), environ.get("HTTP_ACCEPT")
    if write is None or write.feature or environ.get("QUERY_STRING") or not _CONDITIONS.isdisjoint(environ):
        return None
    if environ.get("CONTENT_TYPE") not in _JSON or not (length.isascii() and length.isdecimal() and len(length) < 8):
        return None
    if not 0 < int(length) <= LARGEST_BYTES or (accept and VENDOR_TYPES in accept) or negotiate(accept) is None:
        return None
    shown = caller_reader()(environ)
    if isinstance(shown, Refused):
        return refusal(shown, version=spot.version, allow=write.allow)
    if shown is None or write.scope not in shown.scopes:
        return None
    try:
        body = environ["wsgi.input"].read(int(length))
    except (OSError, ValueError):
        # Django meets the same, and says so.
        return None
    environ["wsgi.input"] = BytesIO(body)
    try:
        faults = write.check(parse_json(body))
    except ParseError:
        return None
    limits = take_one(shown.limits_of(write.operation)) if faults else None
    if limits is None:
        return None
    return refuse(build_unacceptable(faults), [*limits.items(), *fixed_headers(spot.version, write.allow, "no-store")])
