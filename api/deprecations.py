"""Deprecations: which version, or which route of one, is deprecated, and when it ends. Pure; settings read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

MIN_NOTICE = timedelta(days=180)
_ITEM = re.compile(r"^v(?P<version>\d{1,4})(?::(?P<route>[a-z0-9-]+))?=(?P<since>[^/]+)(?:/(?P<until>[^/]+))?$")
_SWITCH = re.compile(r"^v(?P<version>\d{1,4}):(?P<feature>[a-z0-9_]+)=(?P<state>on|off)$")


@dataclass(frozen=True, slots=True)
class Deprecation:
    """The end of something, announced.

    route: name of a route of the version; empty for all of the version.
    deprecated_at: may lie in the future. sunset_at: None where the end is not yet settled.
    """

    version: int
    route: str
    deprecated_at: datetime
    sunset_at: datetime | None = None

    @property
    def subject(self) -> str:
        """Return what is marked: `v1`, or `v2:render-log`."""
        return f"v{self.version}:{self.route}" if self.route else f"v{self.version}"

    def is_deprecated(self, now: datetime) -> bool:
        """Return whether the date of deprecation has come."""
        return self.deprecated_at <= now

    def is_sunset(self, now: datetime) -> bool:
        """Return whether the sunset has passed."""
        return self.sunset_at is not None and self.sunset_at < now

    def validation_error(self) -> str:
        """Return why the dates cannot stand, empty if they can. Source: RFC 8594 and our promise to clients."""
        if self.sunset_at is None:
            return ""
        if self.sunset_at < self.deprecated_at:
            return f"{self.subject} would end before it is deprecated"
        if self.sunset_at < self.deprecated_at + MIN_NOTICE:
            return f"{self.subject} would end less than {MIN_NOTICE.days} days after its deprecation"
        return ""


def parse_deprecations(text: str) -> tuple[Deprecation, ...]:
    """Return the deprecations of `v1=2027-01-01/2027-12-31, v2:render-log=2027-06-01T12:00:00Z`.

    Dates are UTC. A day without a time begins, as the end of something it ends: 23:59:59.
    Raises ValueError with a sentence for the operator.
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
            raise ValueError(f"{deprecation.subject} is marked twice")
        deprecations.append(deprecation)
    return tuple(deprecations)


def parse_feature_switches(text: str) -> dict[tuple[int, str], bool]:
    """Return the switches of `v2:long_poll=off, v2:batches=on` as (version, feature) -> on.

    Raises ValueError with a sentence for the operator.
    """
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
