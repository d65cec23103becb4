"""Deprecation and sunset of versions and routes: announced in headers, rehearsed in brownouts, then 410.

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

from api.deprecations import Deprecation
from core.exceptions import DomainError, Unavailable
from core.registry import Registry, identity

BROWNOUT_PERIOD = timedelta(days=14)
BROWNOUT_LENGTH = timedelta(minutes=1)
SUNSET_PAGE = "/docs/sunset"
_NEVER = datetime.max.replace(tzinfo=UTC)
Observer = Callable[[Any, int, str], None]
# Called as `observer(credential, version, route name)` for each authenticated call of a deprecated route.
deprecated_call_observers = Registry[Observer, Observer]("observer", key=identity)


class VersionSunset(DomainError):
    """The version or path is no longer served."""

    code = "version_sunset"
    status = 410


class Brownout(Unavailable):
    """The version or path ends soon, and is unavailable for a minute of each hour."""

    code = "maintenance"


@dataclass(frozen=True, slots=True)
class DeprecatedRoute:
    """A deprecated path of a request. match: None if the path does not exist."""

    deprecation: Deprecation
    match: ResolverMatch | None


def now() -> datetime:
    """Return the current time; the one place where tests move the clock."""
    return timezone.now()


def configured_deprecations() -> tuple[Deprecation, ...]:
    """Return the deprecations of the setting API_DEPRECATIONS."""
    configured: tuple[Deprecation, ...] = settings.RENDEROWL_API_DEPRECATIONS
    return configured


def find_deprecation(version: int, route: str = "") -> Deprecation | None:
    """Return a route's deprecation: of its version's and its own the one that ends or, without an end, starts first."""
    found = [
        deprecation
        for deprecation in configured_deprecations()
        if deprecation.version == version and deprecation.route in ("", route)
    ]
    return min(
        found, key=lambda deprecation: (deprecation.sunset_at or _NEVER, deprecation.deprecated_at), default=None
    )


def supported_versions() -> list[str]:
    """Return the versions before their sunset, e.g. `v2`."""
    moment = now()
    ended = {
        deprecation.version
        for deprecation in configured_deprecations()
        if not deprecation.route and deprecation.is_sunset(moment)
    }
    return [f"v{version}" for version in settings.RENDEROWL_API_VERSIONS if version not in ended]


def status_of(version: int) -> str:
    """Return `current`, `supported`, `deprecated` or `sunset`."""
    deprecation = find_deprecation(version)
    if deprecation is not None and deprecation.is_sunset(now()):
        return "sunset"
    if deprecation is not None and deprecation.is_deprecated(now()):
        return "deprecated"
    return "current" if version == max(settings.RENDEROWL_API_VERSIONS) else "supported"


def find_deprecated_route(version: int, path: str) -> DeprecatedRoute | None:
    """Return the deprecation of a path, None if there is none. path: with its version."""
    if not any(deprecation.version == version for deprecation in configured_deprecations()):
        return None
    try:
        match = resolve(path)
    except Resolver404:
        match = None
    deprecation = find_deprecation(version, (match.url_name or "") if match else "")
    return None if deprecation is None else DeprecatedRoute(deprecation, match)


def refuse_sunset(deprecated: DeprecatedRoute) -> None:
    """Raise VersionSunset after the sunset, Brownout during a brownout."""
    moment = now()
    sunset_at = deprecated.deprecation.sunset_at
    if sunset_at is None:
        return
    name = f"Version {deprecated.deprecation.version}" if not deprecated.deprecation.route else "This path"
    if deprecated.deprecation.is_sunset(moment):
        detail = f"{name} ended on {format_datetime(sunset_at, usegmt=True)}."
        raise VersionSunset(detail, available_in=supported_versions())
    left = brownout_left(deprecated.deprecation, moment)
    if left:
        error = Brownout(f"{name} ends on {format_datetime(sunset_at, usegmt=True)}; this minute it is unavailable.")
        error.retry_after_s = math.ceil(left.total_seconds())
        raise error


def brownout_left(deprecation: Deprecation, moment: datetime) -> timedelta:
    """Return how long the current brownout lasts, zero outside of one.

    Brownouts: the first minute of each hour (UTC) of the last 14 days, if the installation has enabled them.
    """
    zero = timedelta(0)
    if not settings.RENDEROWL_API_BROWNOUTS or deprecation.sunset_at is None or deprecation.is_sunset(moment):
        return zero
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if hour < deprecation.sunset_at - BROWNOUT_PERIOD:
        return zero
    return max(zero, hour + BROWNOUT_LENGTH - moment)


def add_deprecation_headers(deprecated: DeprecatedRoute, response: HttpResponseBase) -> None:
    """Add the Deprecation, Sunset and Link headers to a response."""
    deprecation = deprecated.deprecation
    response["Deprecation"] = f"@{int(deprecation.deprecated_at.timestamp())}"
    if deprecation.sunset_at is not None:
        response["Sunset"] = format_datetime(deprecation.sunset_at.astimezone(UTC), usegmt=True)
    response["Link"] = ", ".join(filter(None, [response.get("Link", ""), *_links(deprecated)]))


def notify_observers(deprecated: DeprecatedRoute, credential: Any) -> None:
    """Call the observers if an authenticated request used a deprecated route."""
    if credential is None or deprecated.match is None or not deprecated.deprecation.is_deprecated(now()):
        return
    for observer in deprecated_call_observers:
        observer(credential, deprecated.deprecation.version, deprecated.match.url_name or "")


def migration_guide(deprecation: Deprecation) -> str:
    """Return the path of the page with migration instructions."""
    following = _next_version(deprecation.version)
    return f"/docs/migrate-v{following}" if following else SUNSET_PAGE


def _links(deprecated: DeprecatedRoute) -> Iterator[str]:
    yield f'<{migration_guide(deprecated.deprecation)}>; rel="deprecation"; type="text/html"'
    if deprecated.deprecation.sunset_at is not None:
        yield f'<{SUNSET_PAGE}>; rel="sunset"'
    if successor := _successor_path(deprecated):
        yield f'<{successor}>; rel="successor-version"'


def _successor_path(deprecated: DeprecatedRoute) -> str:
    following = _next_version(deprecated.deprecation.version)
    if following is None or deprecated.match is None or not deprecated.match.url_name:
        return ""
    name = deprecated.match.url_name
    try:
        return reverse(f"v{following}:{name}", args=deprecated.match.args, kwargs=deprecated.match.kwargs)
    except NoReverseMatch:
        return ""


def _next_version(version: int) -> int | None:
    later = [number for number in settings.RENDEROWL_API_VERSIONS if number > version]
    return min(later, default=None)
