"""Routes of the API: one table per app, one set of URL patterns per version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import csrf_exempt

from api.problems import problem_response
from api.views import ApiView, ApiViewSet
from core.absolute_urls import absolute_url

__all__ = ["Route", "absolute_url", "api_path", "patterns_for", "patterns_with_absent"]


@dataclass(frozen=True, slots=True)
class Route:
    """One path. actions: HTTP method -> action of a viewset; empty for a plain view.

    since, until: the first and the last version that has the path.
    feature: the feature flag that switches the path on and off; empty for none.
    """

    path: str
    view: type[ApiViewSet] | type[ApiView]
    name: str
    actions: Mapping[str, str] | None = None
    since: int = 1
    until: int | None = None
    feature: str = ""

    def exists_in(self, version: int) -> bool:
        """Return whether a version has this route."""
        return self.since <= version and (self.until is None or version <= self.until)

    def as_pattern(self) -> URLPattern:
        """Return the URL pattern, without version prefix or trailing slash."""
        view: Any = self.view
        named = {"route_name": self.name, "feature": self.feature}
        callback = view.as_view(dict(self.actions), **named) if self.actions else view.as_view(**named)
        pattern: URLPattern = path(self.path, callback, name=self.name)
        return pattern


def patterns_for(version: int, routes: Iterable[Route]) -> list[URLPattern]:
    """Return the patterns that a version has."""
    return [route.as_pattern() for route in routes if route.exists_in(version)]


def internal_patterns(routes: Iterable[Route]) -> list[URLPattern]:
    """Return the patterns of unversioned routes: those under `/internal/` and `/webhooks/`."""
    return [route.as_pattern() for route in routes]


def patterns_with_absent(version: int, routes: Sequence[Route]) -> list[URLPattern]:
    """Return the patterns of a version, and patterns that answer 404 for paths that only other versions have.

    In the order of the table, so that a path resolves to the same route in every version.
    """
    present = {route.path for route in routes if route.exists_in(version)}
    patterns: list[URLPattern] = []
    for route in routes:
        if route.exists_in(version):
            patterns.append(route.as_pattern())
        elif route.path not in present:
            patterns.append(path(route.path, _absence_of(route, routes, version)))
    return patterns


def _absence_of(route: Route, routes: Sequence[Route], version: int) -> Callable[..., HttpResponse]:
    elsewhere = [other for other in routes if other.path == route.path]
    numbers = settings.RENDEROWL_API_VERSIONS
    available = [f"v{number}" for number in numbers if any(other.exists_in(number) for other in elsewhere)]

    @csrf_exempt  # a 404 needs no protection, and must not become a 403
    def absent(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        detail = f"Version {version} does not have this path."
        return problem_response("not_found", detail, available_in=available)

    return absent


def api_path(name: str, version: int, **kwargs: str) -> str:
    """Return the path of a route in a version, e.g. `/api/v2/renders/rnd_...`."""
    return reverse(f"v{version}:{name}", kwargs=kwargs or None)


def internal_path(name: str, **kwargs: str) -> str:
    """Return the path of a route under `/internal/`."""
    return reverse(f"internal:{name}", kwargs=kwargs or None)
