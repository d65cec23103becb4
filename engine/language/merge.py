"""Merge fields: replaces the placeholders `{{ NAME }}` of an edit by their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language.fields import PLACEHOLDER
from engine.language.limits import MAX_CHARACTERS, JsonPath, json_size


@dataclass(frozen=True, slots=True)
class MergedEdit:
    """An edit with its placeholders filled. filled: the paths of the values that held one.

    nested: path of a text into which a value brought another placeholder -> the names of both merge fields.
    """

    data: dict[str, Any]
    filled: frozenset[JsonPath]
    nested: Mapping[JsonPath, tuple[str, str]]


def fill_placeholders(edit: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> MergedEdit:
    """Return the edit with each known placeholder replaced, once; the list `merge` itself stays.

    A placeholder that is a whole string becomes the value itself, of any type; within a longer string it becomes
    text. values: the caller's own, which override those of the edit. Unknown placeholders stay.
    Raises EditInvalid if the values make the edit larger than `MAX_CHARACTERS`.
    """
    known = {**_own_values(edit.get("merge")), **{_name(name): value for name, value in (values or {}).items()}}
    if not known:
        return MergedEdit(dict(edit), frozenset(), {})
    filler = _PlaceholderFiller(known)
    data = {key: value if key == "merge" else filler.fill(value, (key,)) for key, value in edit.items()}
    return MergedEdit(data, frozenset(filler.filled), filler.nested)


@dataclass(slots=True)
class _PlaceholderFiller:
    """One pass over an edit. budget: characters left."""

    values: Mapping[str, Any]
    filled: set[JsonPath] = field(default_factory=set)
    nested: dict[JsonPath, tuple[str, str]] = field(default_factory=dict)
    budget: int = MAX_CHARACTERS

    def fill(self, value: Any, path: JsonPath) -> Any:
        if isinstance(value, str):
            return self._fill_text(value, path) if "{{" in value else self._spend(value)
        self._spend(value)
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def _fill_text(self, text: str, path: JsonPath) -> Any:
        """Return the value of a whole placeholder, or the text with its placeholders replaced."""
        whole = PLACEHOLDER.fullmatch(text.strip())
        if whole is not None and whole[1] in self.values:
            self.filled.add(path)
            return self._insert(whole[1], self.values[whole[1]], path)
        if any(found[1] in self.values for found in PLACEHOLDER.finditer(text)):
            self.filled.add(path)
        pieces: list[str] = []
        position = 0
        for found in PLACEHOLDER.finditer(text):
            pieces.append(text[position : found.start()])
            known = found[1] in self.values
            piece = _as_text(self.values[found[1]]) if known else found[0]
            pieces.append(self._insert(found[1], piece, path) if known else self._spend(piece))
            position = found.end()
        self._spend(text[position:])
        return "".join((*pieces, text[position:]))

    def _spend(self, value: Any) -> Any:
        """Subtract a value's own characters from the budget."""
        self.budget -= json_size(value)
        if self.budget < 0:
            detail = f"The merge values make the edit longer than {MAX_CHARACTERS:,} characters."
            raise EditInvalid([Issue("/merge", "too_large", detail)])
        return value

    def _insert(self, name: str, value: Any, path: JsonPath) -> Any:
        """Subtract a merge field's value and its contents from the budget, and note the placeholders in it."""
        self._spend(value)
        if isinstance(value, dict | list | tuple):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                self._insert(name, item, (*path, key))
        elif isinstance(value, str) and (inner := PLACEHOLDER.search(value)):
            self.nested.setdefault(path, (name, inner[1]))
        return value


def _own_values(fields: Any) -> dict[str, Any]:
    """Return the values of an edit's `merge` list; of two with one name the first wins."""
    values: dict[str, Any] = {}
    for item in fields if isinstance(fields, list | tuple) else ():
        if isinstance(item, dict) and isinstance(item.get("find"), str):
            values.setdefault(_name(item["find"]), item.get("replace"))
    return values


def _name(written: str) -> str:
    """Return a placeholder's name without the space or braces around it."""
    return written.strip().removeprefix("{{").removesuffix("}}").strip()


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
