"""The end of a version or route: announced on every answer, rehearsed in brownouts, then 410.

Sources: RFC 9745 (Deprecation), RFC 8594 (Sunset), RFC 8288 (Link).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from django.urls import NoReverseMatch, Resolver404, ResolverMatch, resolve, reverse
from django.utils import timezone

from api.marks import Mark
from core.exceptions import DomainError, Unavailable
from core.registry import Registry, itself

BROWNOUT_PERIOD = timedelta(days=14)
BROWNOUT_LENGTH = timedelta(minutes=1)
SUNSET_PAGE = "/docs/sunset"
_NEVER = datetime.max.replace(tzinfo=UTC)
Observer = Callable[[Any, int, str], None]
# Called as `observer(credential, version, route name)` for each authenticated call of what is deprecated.
deprecated_call_observers = Registry[Observer, Observer]("observer", key=itself)


class VersionSunset(DomainError):
    """The version or path is no longer served."""

    code = "version_sunset"
    status = 410


class Brownout(Unavailable):
    """The version or path will end soon and rehearses it, a minute of each hour."""

    code = "maintenance"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request to something marked. match: None where the path leads nowhere."""

    mark: Mark
    match: ResolverMatch | None


def now() -> datetime:
    """Return the time; the one place that tests move the clock."""
    return timezone.now()


def marks() -> tuple[Mark, ...]:
    """Return the marks of this installation."""
    configured: tuple[Mark, ...] = settings.RENDEROWL_API_MARKS
    return configured


def mark_of(version: int, route: str = "") -> Mark | None:
    """Return the mark that governs a route: of the version's and its own the one that ends, or began, first."""
    found = [mark for mark in marks() if mark.version == version and mark.route in ("", route)]
    return min(found, key=lambda mark: (mark.sunset_at or _NEVER, mark.deprecated_at), default=None)


def supported_versions() -> list[str]:
    """Return the versions that are served, as clients write them."""
    moment = now()
    ended = {mark.version for mark in marks() if not mark.route and mark.is_over(moment)}
    return [f"v{version}" for version in settings.RENDEROWL_API_VERSIONS if version not in ended]


def status_of(version: int) -> str:
    """Return `current`, `supported`, `deprecated` or `sunset`."""
    mark = mark_of(version)
    if mark is not None and mark.is_over(now()):
        return "sunset"
    if mark is not None and mark.is_deprecated(now()):
        return "deprecated"
    return "current" if version == max(settings.RENDEROWL_API_VERSIONS) else "supported"


def visit_of(version: int, path: str) -> Visit | None:
    """Return what is marked at a path, None in most installations. path: with its version."""
    if not any(mark.version == version for mark in marks()):
        return None
    try:
        match = resolve(path)
    except Resolver404:
        match = None
    mark = mark_of(version, (match.url_name or "") if match else "")
    return None if mark is None else Visit(mark, match)


def refuse_ended(visit: Visit) -> None:
    """Raise VersionSunset after the end, Brownout in the minutes in which the end is rehearsed."""
    moment = now()
    sunset_at = visit.mark.sunset_at
    if sunset_at is None:
        return
    name = f"Version {visit.mark.version}" if not visit.mark.route else "This path"
    if visit.mark.is_over(moment):
        detail = f"{name} ended on {format_datetime(sunset_at, usegmt=True)}."
        raise VersionSunset(detail, available_in=supported_versions())
    left = brownout_left(visit.mark, moment)
    if left:
        error = Brownout(f"{name} ends on {format_datetime(sunset_at, usegmt=True)}; until then it rests this minute.")
        error.retry_after_s = math.ceil(left.total_seconds())
        raise error


def brownout_left(mark: Mark, moment: datetime) -> timedelta:
    """Return how long the brownout of this moment lasts, nothing outside of one.

    The first minute of each hour (UTC) of the last 14 days, where the installation has switched them on.
    """
    nothing = timedelta(0)
    if not settings.RENDEROWL_API_BROWNOUTS or mark.sunset_at is None or mark.is_over(moment):
        return nothing
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if hour < mark.sunset_at - BROWNOUT_PERIOD:
        return nothing
    return max(nothing, hour + BROWNOUT_LENGTH - moment)


def announce(visit: Visit, response: HttpResponseBase) -> None:
    """Write the headers of what is marked onto an answer."""
    mark = visit.mark
    response["Deprecation"] = f"@{int(mark.deprecated_at.timestamp())}"
    if mark.sunset_at is not None:
        response["Sunset"] = format_datetime(mark.sunset_at.astimezone(UTC), usegmt=True)
    response["Link"] = ", ".join(filter(None, [response.get("Link", ""), *_links(visit)]))


def notify_observers(visit: Visit, credential: Any) -> None:
    """Tell the observers of an authenticated call."""
    if credential is None or visit.match is None or not visit.mark.is_deprecated(now()):
        return
    for observer in deprecated_call_observers:
        observer(credential, visit.mark.version, visit.match.url_name or "")


def guide_of(mark: Mark) -> str:
    """Return the page that says what to do instead."""
    following = _next_version(mark.version)
    return f"/docs/migrate-v{following}" if following else SUNSET_PAGE


def _links(visit: Visit) -> Iterator[str]:
    yield f'<{guide_of(visit.mark)}>; rel="deprecation"; type="text/html"'
    if visit.mark.sunset_at is not None:
        yield f'<{SUNSET_PAGE}>; rel="sunset"'
    if successor := _successor_path(visit):
        yield f'<{successor}>; rel="successor-version"'


def _successor_path(visit: Visit) -> str:
    following = _next_version(visit.mark.version)
    if following is None or visit.match is None or not visit.match.url_name:
        return ""
    name = visit.match.url_name
    try:
        return reverse(f"v{following}:{name}", args=visit.match.args, kwargs=visit.match.kwargs)
    except NoReverseMatch:
        return ""


def _next_version(version: int) -> int | None:
    later = [number for number in settings.RENDEROWL_API_VERSIONS if number > version]
    return min(later, default=None)
