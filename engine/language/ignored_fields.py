"""Field warnings: ignored keys and changed values, found by comparing the JSON with the model."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from engine.issues import Issue, pointer
from engine.language.edit_model import EditModel
from engine.language.fields import FieldType
from engine.language.limits import JsonPath


def field_warnings(
    model: EditModel, raw: Mapping[str, Any], filled: Collection[JsonPath], path: JsonPath = ()
) -> Iterator[Issue]:
    """Yield a warning for every key without effect and for every value that was changed.

    raw: the object that `model` was read from. filled: paths that held a merge field; a number that came as
    text from one is what the format promises, and is not reported.
    """
    fields = _fields_by_key(type(model))
    for key, written in raw.items():
        name = model.SYNONYMS.get(key, key)
        here = (*path, key)
        if written is None:
            continue
        if name not in fields:
            yield _ignored_key(type(model), here, fields)
        elif name != key and raw.get(name) is not None:
            yield Issue(pointer(*here), "ignored_field", f"'{name}' is also given and is used instead.")
        else:
            attribute, field = fields[name]
            yield from _value_warnings(field, getattr(model, attribute), written, filled, here)


def _value_warnings(
    field: FieldInfo, value: Any, raw: Any, filled: Collection[JsonPath], path: JsonPath
) -> Iterator[Issue]:
    """Yield the warnings of one value and of what it contains."""
    if isinstance(value, EditModel):
        if isinstance(raw, Mapping):
            yield from field_warnings(value, raw, filled, path)
        return
    if isinstance(value, tuple) and isinstance(raw, list | tuple):
        for index, (item, written) in enumerate(zip(value, raw, strict=True)):
            yield from _value_warnings(field, item, written, filled, (*path, index))
        return
    for metadata in field.metadata:
        if isinstance(metadata, FieldType) and (warning := metadata.warning(raw, value)) is not None:
            code, detail = warning
            if code != "coerced" or path not in filled:
                yield Issue(pointer(*path), code, detail)


def _ignored_key(kind: type[EditModel], path: JsonPath, known: Mapping[str, Any]) -> Issue:
    key = str(path[-1])
    if key in kind.IGNORED:
        return Issue(pointer(*path), "ignored_field", f"'{key}' has no effect. {kind.IGNORED[key]}")
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.75) if len(key) < 40 else []
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return Issue(pointer(*path), "unknown_field", f"'{key[:60]}' is not known here and has no effect.{hint}")


@functools.cache
def _fields_by_key(kind: type[EditModel]) -> dict[str, tuple[str, FieldInfo]]:
    """Return attribute and field of each JSON key of a model."""
    return {field.alias or name: (name, field) for name, field in kind.model_fields.items()}
