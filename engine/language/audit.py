"""Compare what was written with what was kept, so that nothing is lost silently."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from engine.issues import Issue, pointer
from engine.language.guard import Path
from engine.language.part import Part
from engine.language.values import FieldType


def audit(part: Part, raw: Mapping[str, Any], filled: Collection[Path], path: Path = ()) -> Iterator[Issue]:
    """Yield a warning for every key that has no effect and every value that was bent.

    raw: the object that `part` was read from. filled: paths that held a merge field; a number that came as
    text from one is what the format promises, and is not reported.
    """
    fields = _fields_by_key(type(part))
    for key, written in raw.items():
        name = part.SYNONYMS.get(key, key)
        here = (*path, key)
        if written is None:
            continue
        if name not in fields:
            yield _useless_key(type(part), here, fields)
        elif name != key and raw.get(name) is not None:
            yield Issue(pointer(*here), "ignored_field", f"'{name}' is given too and is used instead.")
        else:
            attribute, field = fields[name]
            yield from _audit_value(field, getattr(part, attribute), written, filled, here)


def _audit_value(field: FieldInfo, value: Any, raw: Any, filled: Collection[Path], path: Path) -> Iterator[Issue]:
    """Yield the warnings of one value and of what it contains."""
    if isinstance(value, Part):
        if isinstance(raw, Mapping):
            yield from audit(value, raw, filled, path)
        return
    if isinstance(value, tuple) and isinstance(raw, list | tuple):
        for index, (item, written) in enumerate(zip(value, raw, strict=True)):
            yield from _audit_value(field, item, written, filled, (*path, index))
        return
    for metadata in field.metadata:
        if isinstance(metadata, FieldType) and (notice := metadata.notice(raw, value)) is not None:
            code, detail = notice
            if code != "coerced" or path not in filled:
                yield Issue(pointer(*path), code, detail)


def _useless_key(kind: type[Part], path: Path, known: Mapping[str, Any]) -> Issue:
    """Return the warning for a key without effect."""
    key = str(path[-1])
    if key in kind.IGNORED:
        return Issue(pointer(*path), "ignored_field", f"'{key}' has no effect. {kind.IGNORED[key]}")
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.75) if len(key) < 40 else []
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return Issue(pointer(*path), "unknown_field", f"'{key[:60]}' is not known here and has no effect.{hint}")


@functools.cache
def _fields_by_key(kind: type[Part]) -> dict[str, tuple[str, FieldInfo]]:
    """Return each key of a model in JSON with its attribute and field."""
    return {field.alias or name: (name, field) for name, field in kind.model_fields.items()}
