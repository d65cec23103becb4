"""Routes of the API: one table an app, one set of URL patterns a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from rest_framework.request import Request

from core.api.views import ApiView, ApiViewSet


@dataclass(frozen=True, slots=True)
class Route:
    """One path. actions: HTTP method -> action of a viewset; empty for a plain view.

    since, until: the first and the last version that has the path.
    """

    path: str
    view: type[ApiViewSet] | type[ApiView]
    name: str
    actions: Mapping[str, str] | None = None
    since: int = 1
    until: int | None = None

    def exists_in(self, version: int) -> bool:
        """Return whether a version has this route."""
        return self.since <= version and (self.until is None or version <= self.until)

    def as_pattern(self) -> URLPattern:
        """Return the URL pattern, without version prefix or trailing slash."""
        view: Any = self.view
        callback = view.as_view(dict(self.actions)) if self.actions else view.as_view()
        pattern: URLPattern = path(self.path, callback, name=self.name)
        return pattern


def patterns_for(version: int, routes: Iterable[Route]) -> list[URLPattern]:
    """Return the patterns that a version has."""
    return [route.as_pattern() for route in routes if route.exists_in(version)]


def api_path(name: str, version: int, **kwargs: str) -> str:
    """Return the path of a route in a version, e.g. `/api/v2/renders/rnd_...`."""
    return reverse(f"v{version}:{name}", kwargs=kwargs or None)


def absolute_url(request: Request | HttpRequest | None, location: str) -> str:
    """Return a path as an absolute URL: `PUBLIC_URL` where set, else as the request came in."""
    if settings.PUBLIC_URL or request is None:
        return f"{settings.PUBLIC_URL or 'http://127.0.0.1:8000'}{location}"
    return request.build_absolute_uri(location)
