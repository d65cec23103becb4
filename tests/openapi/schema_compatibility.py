"""Comparison of two OpenAPI 3.0 schemas: finds values that the receiver no longer accepts.

For requests the clients are the senders: the new schema must accept all that the old one accepted. For responses we
are: the old schema must accept all that the new one allows, apart from new members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]
_UPPER = ("maxLength", "maximum", "maxItems", "maxProperties")
_LOWER = ("minLength", "minimum", "minItems", "minProperties")
_EXACT = ("pattern", "format", "multipleOf", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum")


class SchemaComparison:
    """The schemas of two documents. Its methods yield (place, what)."""

    def __init__(self, old: Node, new: Node, *, is_request: bool) -> None:
        self.old, self.new, self.is_request = old, new, is_request
        self._open: set[tuple[str, str]] = set()

    def compare(self, place: str, old: Node | None, new: Node | None) -> Iterator[tuple[str, str]]:
        """Yield the breaking differences of two schemas."""
        # Schemas may be recursive: a pair that is being compared is not compared again inside.
        pair = (repr(old), repr(new))
        if pair in self._open:
            return
        self._open.add(pair)
        try:
            yield from self._compare(place, _flatten(old or {}, self.old), _flatten(new or {}, self.new))
        finally:
            self._open.remove(pair)

    def _compare(self, place: str, old: list[Node], new: list[Node]) -> Iterator[tuple[str, str]]:
        if len(old) == len(new) == 1:
            yield from self._compare_plain(place, old[0], new[0])
            return
        # Of two unions each alternative of the sender's must be one of the receiver's.
        sent, read = (old, new) if self.is_request else (new, old)
        for alternative in sent:
            faults = [list(self._compare_plain(place, *self._in_order(alternative, other))) for other in read]
            if all(faults):
                verb = "accepts" if self.is_request else "promised"
                yield place, f"no alternative {verb} {_name_of(alternative)}: {min(faults, key=len)[0][1]}"

    def _in_order(self, sent: Node, read: Node) -> tuple[Node, Node]:
        return (sent, read) if self.is_request else (read, sent)

    def _compare_plain(self, place: str, old: Node, new: Node) -> Iterator[tuple[str, str]]:
        if fault := self._type_fault(old, new):
            yield place, fault
            return
        sent, read = (old, new) if self.is_request else (new, old)
        if sent.get("nullable") and not read.get("nullable"):
            yield place, "null is no longer taken" if self.is_request else "it may now be null"
        yield from self._enum_faults(place, old, new)
        yield from ((place, fault) for fault in self._limit_faults(sent, read))
        if "items" in old and "items" in new:
            yield from self.compare(f"{place}[]", old["items"], new["items"])
        yield from self._member_faults(place, old, new)

    def _type_fault(self, old: Node, new: Node) -> str:
        before, after = old.get("type"), new.get("type")
        if before == after:
            return ""
        sent, read = (before, after) if self.is_request else (after, before)
        if read is None or (sent, read) == ("integer", "number"):
            return ""
        return f"the type was {before or 'any'} and is {after or 'any'}"

    def _enum_faults(self, place: str, old: Node, new: Node) -> Iterator[tuple[str, str]]:
        before, after = old.get("enum"), new.get("enum")
        if self.is_request:
            if before is None and after is not None:
                yield place, "only some values are taken now"
            elif after is not None and (gone := [value for value in before or [] if value not in after]):
                yield place, f"no longer taken: {_values(gone)}"
        elif before is not None and not (old.get("x-open-enum") or new.get("x-open-enum")):
            if after is None:
                yield place, "any value may now come"
            elif added := [value for value in after if value not in before]:
                yield place, f"new values in an enum that is not open: {_values(added)}"

    def _limit_faults(self, sent: Node, read: Node) -> Iterator[str]:
        """Yield limits of the receiver that the sender may exceed. Limits of responses are no promise."""
        if not self.is_request:
            return
        for name in _UPPER:
            if name in read and (name not in sent or read[name] < sent[name]):
                yield f"{name} fell to {read[name]}"
        for name in _LOWER:
            if read.get(name, 0) > sent.get(name, 0):
                yield f"{name} rose to {read[name]}"
        for name in _EXACT:
            if name in read and read[name] != sent.get(name):
                yield f"{name} is now {read[name]}"

    def _member_faults(self, place: str, old: Node, new: Node) -> Iterator[tuple[str, str]]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in before.items():
            where = f"{place}.{name}"
            if name not in after:
                if not self._is_left_open(new) or not self.is_request:
                    yield where, "the member is gone"
                continue
            if self.is_request and name in required_after - required_before:
                yield where, "the member became required"
            if not self.is_request and name in required_before - required_after:
                yield where, "the member may now be missing"
            yield from self.compare(where, schema, after[name])
        if self.is_request:
            for name in sorted(required_after - required_before - before.keys()):
                yield f"{place}.{name}", "a new member is required"
        yield from self._additional_faults(place, old, new)

    def _additional_faults(self, place: str, old: Node, new: Node) -> Iterator[tuple[str, str]]:
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from self.compare(f"{place}.*", before, after)
        elif self.is_request and before is not False and after is False and not old.get("properties"):
            yield place, "free members are no longer taken"
        elif isinstance(after, Mapping) and after and before is True and self.is_request and not old.get("properties"):
            yield place, "free members are bound to a schema now"
        elif isinstance(before, Mapping) and before and after is True and not self.is_request:
            yield place, "members were bound to a schema and are free now"

    @staticmethod
    def _is_left_open(schema: Node) -> bool:
        return schema.get("additionalProperties", False) not in (False,)


def _flatten(schema: Node, document: Node) -> list[Node]:
    """Return the alternatives of a schema: references resolved, `allOf` merged, null as `nullable`."""
    if "$ref" in schema:
        siblings = {name: value for name, value in schema.items() if name != "$ref"}
        return [{**node, **siblings} for node in _flatten(_resolve(schema["$ref"], document), document)]
    own = {name: value for name, value in schema.items() if name not in ("allOf", "oneOf", "anyOf")}
    results: list[Node] = [own]
    for part in schema.get("allOf", ()):
        results = [_merge(result, node) for result in results for node in _flatten(part, document)]
    union = [node for part in [*schema.get("oneOf", ()), *schema.get("anyOf", ())] for node in _flatten(part, document)]
    if not union:
        return results
    has_null = any(node.get("enum") == [None] for node in union)
    union = [node for node in union if node.get("enum") != [None]]
    merged = [_merge(result, node) for result in results for node in union]
    return [{**node, "nullable": True} for node in merged] if has_null else merged


def _merge(first: Node, second: Node) -> Node:
    """Return what must satisfy both."""
    merged = {**second, **first}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**second["properties"], **first["properties"]}
    if "required" in first and "required" in second:
        merged["required"] = sorted({*first["required"], *second["required"]})
    return merged


def _resolve(reference: str, document: Node) -> Node:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    resolved: Node = node
    return resolved


def _name_of(schema: Node) -> str:
    return str(schema.get("title") or schema.get("type") or "it")


def _values(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)
