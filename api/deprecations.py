"""Deprecation schedule: which versions and routes are deprecated, and when they end. Free of Django."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

MIN_NOTICE = timedelta(days=180)
_ITEM = re.compile(r"^v(?P<version>\d{1,4})(?::(?P<route>[a-z0-9-]+))?=(?P<since>[^/]+)(?:/(?P<until>[^/]+))?$")
_SWITCH = re.compile(r"^v(?P<version>\d{1,4}):(?P<feature>[a-z0-9_]+)=(?P<state>on|off)$")


@dataclass(frozen=True, slots=True)
class Deprecation:
    """The announced end of a version or of one of its routes.

    route: name of the route; empty for the whole version.
    deprecated_at: may be in the future. sunset_at: None if no end has been set.
    """

    version: int
    route: str
    deprecated_at: datetime
    sunset_at: datetime | None = None

    @property
    def subject(self) -> str:
        """Return the deprecated version or route as the setting names it: `v1`, or `v2:render-log`."""
        return f"v{self.version}:{self.route}" if self.route else f"v{self.version}"

    def is_deprecated(self, now: datetime) -> bool:
        """Return whether `deprecated_at` has been reached."""
        return self.deprecated_at <= now

    def is_sunset(self, now: datetime) -> bool:
        """Return whether the sunset has passed."""
        return self.sunset_at is not None and self.sunset_at < now

    def validation_error(self) -> str:
        """Return why the dates are invalid, empty if they are valid. Source: RFC 8594 and our minimum notice."""
        if self.sunset_at is None:
            return ""
        if self.sunset_at < self.deprecated_at:
            return f"{self.subject} would end before it is deprecated"
        if self.sunset_at < self.deprecated_at + MIN_NOTICE:
            return f"{self.subject} would end less than {MIN_NOTICE.days} days after its deprecation"
        return ""


def parse_deprecations(text: str) -> tuple[Deprecation, ...]:
    """Parse `v1=2027-01-01/2027-12-31, v2:render-log=2027-06-01T12:00:00Z`.

    Dates are UTC. A date without a time is 00:00:00 as a deprecation, 23:59:59 as a sunset.
    Raises ValueError with a message for the operator.
    """
    deprecations: list[Deprecation] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        match = _ITEM.match(item)
        if match is None:
            raise ValueError(f"{item!r} is not of the form v1=DATE/DATE or v1:route-name=DATE/DATE")
        until = match["until"]
        deprecation = Deprecation(
            version=int(match["version"]),
            route=match["route"] or "",
            deprecated_at=_parse_time(match["since"], time(0, 0, 0)),
            sunset_at=_parse_time(until, time(23, 59, 59)) if until else None,
        )
        if any(deprecation.subject == other.subject for other in deprecations):
            raise ValueError(f"{deprecation.subject} is listed twice")
        deprecations.append(deprecation)
    return tuple(deprecations)


def parse_feature_switches(text: str) -> dict[tuple[int, str], bool]:
    """Parse `v2:long_poll=off, v2:batches=on` into (version, feature) -> on; raise ValueError for the operator."""
    switches: dict[tuple[int, str], bool] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        match = _SWITCH.match(item)
        if match is None:
            raise ValueError(f"{item!r} is not of the form v2:feature=on or v2:feature=off")
        switches[int(match["version"]), match["feature"]] = match["state"] == "on"
    return switches


def _parse_time(text: str, of_day: time) -> datetime:
    text = text.strip()
    try:
        if len(text) == len("2027-01-01"):
            return datetime.combine(date.fromisoformat(text), of_day, UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date such as 2027-01-01 or 2027-01-01T12:00:00Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
