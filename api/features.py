"""Feature flags: what versions of the API differ in, and what an installation has switched off.

Apps register features in their `features.py`. A route (`Route(feature=...)`) or a query parameter
(`feature_parameters` of an `Endpoint`) of a feature answers 404 if the feature is off.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from core.exceptions import NotFound
from core.registry import Registry


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature that some versions have.

    since, until: the first and the last version that can have it. enabled: whether it is on there by default.
    is_fixed: whether it is part of the version's contract, so that no installation can switch it.
    """

    name: str
    summary: str
    since: int = 1
    until: int | None = None
    enabled: bool = True
    is_fixed: bool = False

    def fits(self, version: int) -> bool:
        """Return whether a version can have the feature."""
        return self.since <= version and (self.until is None or version <= self.until)


class FeatureAbsent(NotFound):
    """The version does not have the requested feature."""


features = Registry[str, Feature]("feature")
features.register(Feature("page_pagination", "Lists by page, with totals.", until=1, is_fixed=True))
features.register(Feature("cursor_pagination", "Lists by cursor, without a count.", since=2, is_fixed=True))


def is_enabled(name: str, version: int) -> bool:
    """Return whether a version has the feature in this installation. Raises KeyError for an unknown feature."""
    feature = features[name]
    if not feature.fits(version):
        return False
    switches: dict[tuple[int, str], bool] = settings.RENDEROWL_API_FEATURES
    return switches.get((version, name), feature.enabled)


def flags_of(version: int) -> dict[str, bool]:
    """Return name -> whether it is on, of features that the version can have: an old version never gets new names."""
    return {name: is_enabled(name, version) for name in sorted(features) if features[name].fits(version)}


def versions_with(name: str) -> list[str]:
    """Return the versions that have the feature, e.g. `v2`."""
    return [f"v{version}" for version in settings.RENDEROWL_API_VERSIONS if is_enabled(name, version)]


def require_feature(name: str, version: int, what: str) -> None:
    """Raise FeatureAbsent, with the versions that have it, unless the version has the feature. what: a noun phrase."""
    if not is_enabled(name, version):
        raise FeatureAbsent(f"Version {version} does not have {what}.", available_in=versions_with(name))
