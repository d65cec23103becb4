"""Where paths of the API lead, compiled from the URL patterns: a look instead of a walk through all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from core.api.reads import Read, Write, read_of, write_of

# Whole segments, each a word or a parameter of any text: all that the API has.
_ROUTE = re.compile(r"api/v(\d{1,4})((?:/(?:[a-z0-9_.-]+|<(?:str:)?\w+>))+)")
_PARAMETER = re.compile(r"<(?:str:)?(\w+)>")
UNMATCHED = "(unmatched)"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path leads. route: as people write it; view: as Django names it; read, write: None for their own ways."""

    version: int
    route: str
    view: str
    read: Read | None
    parameter: int = 0
    write: Write | None = None

    def id_in(self, path: str) -> str:
        """Return the segment of a path that names a row."""
        return path.split("/")[self.parameter]


NOWHERE = "<unnamed view>"


class Table:
    """Knows the paths of the API of one tree of URL patterns."""

    def __init__(self, urlconf: str) -> None:
        self._still: dict[str, Spot] = {}
        self._varying: dict[tuple[int, ...], list[tuple[tuple[str | None, ...], Spot]]] = {}
        # Where a pattern is of a kind that is not known here, nothing can be said to lead nowhere.
        self._is_whole = True
        self._absent = {n: Spot(n, UNMATCHED, NOWHERE, None) for n in settings.RENDEROWL_API_VERSIONS}
        for route, pattern, namespace in _walk(get_resolver(urlconf), "", ""):
            self._add(route, pattern, namespace)

    def find(self, path: str) -> Spot | None:
        """Return where a path under `/api/v<n>/` leads, None where that is not known here."""
        spot = self._still.get(path)
        if spot is not None:
            return spot
        parts = tuple(path.split("/")[1:])
        version = int(parts[1][1:]) if len(parts) > 2 and parts[1][1:].isdecimal() and len(parts[1]) <= 5 else 0
        for pattern, spot in self._varying.get((version, len(parts)), ()):
            if all(part if wanted is None else part == wanted for wanted, part in zip(pattern, parts, strict=True)):
                return spot
        return self._absent.get(version) if self._is_whole and not path.endswith("/") else None

    def _add(self, route: str, pattern: URLPattern, namespace: str) -> None:
        match = _ROUTE.fullmatch(route)
        if match is None:
            self._is_whole = self._is_whole and not _may_be_of_api(route)
            return
        version = int(match[1])
        parts = tuple(route.split("/"))
        shape = tuple(None if part.startswith("<") else part for part in parts)
        places = [index for index, part in enumerate(shape) if part is None]
        name = f"{namespace}:{pattern.name}" if namespace and pattern.name else pattern.name or NOWHERE
        readable = "/" + _PARAMETER.sub(r"{\1}", route)
        # Counted with the empty part before the first slash.
        place = places[0] + 1 if len(places) == 1 else 0
        spot = Spot(version, readable, name, read_of(pattern.callback), place, write_of(pattern.callback))
        varying = self._varying.setdefault((version, len(parts)), [])
        if places:
            varying.append((shape, spot))
        elif not any(_fits(earlier, parts) for earlier, _ in varying):
            # Else an earlier pattern takes the path.
            self._still.setdefault(f"/{route}", spot)


@lru_cache(maxsize=4)
def table_of(urlconf: str) -> Table:
    """Return the table of a tree, compiled once."""
    return Table(urlconf)


def _fits(shape: tuple[str | None, ...], parts: tuple[str, ...]) -> bool:
    return all(wanted is None or part == wanted for wanted, part in zip(shape, parts, strict=True))


def _walk(resolver: URLResolver, before: str, namespace: str) -> Iterator[tuple[str, URLPattern, str]]:
    """Yield the whole route of each pattern, with a mark that fits nothing where it is an expression."""
    for pattern in resolver.url_patterns:
        own: Any = pattern.pattern
        route = before + (str(own) if isinstance(own, RoutePattern) else f"\0{own}")
        if isinstance(pattern, URLPattern):
            yield route, pattern, namespace
        else:
            inner = ":".join(filter(None, (namespace, pattern.namespace or "")))
            yield from _walk(pattern, route, inner)


def _may_be_of_api(route: str) -> bool:
    """Return whether a pattern of an unknown kind could take a path under `/api/v<n>/`."""
    known = re.split(r"[<\0]", route, maxsplit=1)[0]
    return known.startswith("api/v") or ("api/v".startswith(known) and len(known) < len(route))
