"""Comparison of OpenAPI documents: finds changes that break clients of the earlier one.

Inside a version new optional request members, new response members and new routes are allowed, and so are new enum
values in members whose schema says `x-open-enum: true`. Everything else that a client could notice needs a new version.
Reads OpenAPI 3.0 as drf-spectacular writes it: `nullable`, `allOf` around references, `oneOf` for unions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.openapi.schema_compatibility import SchemaComparison

Node = Mapping[str, Any]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Break:
    """A breaking change of the new document. place: where, in readable form."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def find_breaks(old: Node, new: Node) -> list[Break]:
    """Return the changes that break clients of the old document."""
    comparison = _Comparison(old, new)
    return [Break(place, what) for place, what in comparison.paths()]


class _Comparison:
    """Two documents side by side. Its methods yield (place, what)."""

    def __init__(self, old: Node, new: Node) -> None:
        self.old, self.new = old, new
        self.requests = SchemaComparison(old, new, is_request=True)
        self.responses = SchemaComparison(old, new, is_request=False)

    def paths(self) -> Iterator[tuple[str, str]]:
        for path, old_item in self.old.get("paths", {}).items():
            new_item = self.new.get("paths", {}).get(path)
            if new_item is None:
                yield path, "the path is gone"
                continue
            for method in _METHODS:
                if method not in old_item:
                    continue
                place = f"{method.upper()} {path}"
                if method not in new_item:
                    yield place, "the operation is gone"
                else:
                    yield from self.operation(place, old_item[method], new_item[method])

    def operation(self, place: str, old: Node, new: Node) -> Iterator[tuple[str, str]]:
        yield from self.parameters(place, old, new)
        yield from self.body(place, old.get("requestBody"), new.get("requestBody"))
        yield from self.answers(place, old.get("responses", {}), new.get("responses", {}))
        if _ways_in(old) - _ways_in(new):
            yield place, "a way to authenticate is gone"
        old_scope, new_scope = old.get("x-required-scope"), new.get("x-required-scope")
        if new_scope not in (None, old_scope):
            yield place, f"it needs the scope {new_scope}, not {old_scope or 'any'}"

    def parameters(self, place: str, old: Node, new: Node) -> Iterator[tuple[str, str]]:
        before, after = _parameters_of(old), _parameters_of(new)
        for key, parameter in before.items():
            where = f"{place}, {key[0]} parameter {key[1]}"
            if key not in after:
                yield where, "the parameter is gone"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield where, "it became required"
            yield from self.requests.compare(where, parameter.get("schema", {}), after[key].get("schema", {}))
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield f"{place}, {key[0]} parameter {key[1]}", "a new parameter is required"

    def body(self, place: str, old: Node | None, new: Node | None) -> Iterator[tuple[str, str]]:
        where = f"{place}, body"
        if old is None:
            if new is not None and new.get("required"):
                yield where, "a body is now required"
            return
        if new is None:
            yield where, "the body is no longer taken"
            return
        if new.get("required") and not old.get("required"):
            yield where, "it became required"
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield where, f"{media_type} is no longer taken"
            else:
                yield from self.requests.compare(where, content.get("schema"), new["content"][media_type].get("schema"))

    def answers(self, place: str, old: Node, new: Node) -> Iterator[tuple[str, str]]:
        for status in (status for status in old if status.startswith("2")):
            where = f"{place}, answer {status}"
            if status not in new:
                yield where, "the status is gone"
                continue
            for name in old[status].get("headers", {}):
                if name not in new[status].get("headers", {}):
                    yield where, f"the header {name} is gone"
            for media_type, content in old[status].get("content", {}).items():
                if media_type not in new[status].get("content", {}):
                    yield where, f"{media_type} is no longer sent"
                    continue
                after = new[status]["content"][media_type].get("schema")
                yield from self.responses.compare(where, content.get("schema"), after)
        for status in new:
            if status.startswith("2") and status not in old:
                yield f"{place}, answer {status}", "a new status of success"


def _parameters_of(operation: Node) -> dict[tuple[str, str], Node]:
    return {(parameter["in"], parameter["name"]): parameter for parameter in operation.get("parameters", [])}


def _ways_in(operation: Node) -> set[frozenset[str]]:
    """Return the sets of schemes of which one is enough; a single empty set if none is needed."""
    return {frozenset(way) for way in operation.get("security", [{}])} or {frozenset()}
