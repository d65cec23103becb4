"""Edit parser: turns JSON into a validated edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.errors import EditInvalid
from engine.issues import Issue, pointer
from engine.language.checks import edit_errors, edit_warnings
from engine.language.edit import Edit
from engine.language.ignored_fields import field_warnings
from engine.language.limits import check_json
from engine.language.merge import MergedEdit, fill_placeholders
from engine.language.presets import MAX_CLIPS

MAX_ERRORS = 50
MAX_WARNINGS = 200

_OWN_CODES = frozenset(
    {
        "invalid_type",
        "invalid_url",
        "invalid_value",
        "missing",
        "out_of_range",
        "unfilled_placeholder",
        "unsupported_asset",
    }
)
# What a placeholder left in a value is reported as, by the type of its field.
_PLACEHOLDER_CODES = ("unfilled_placeholder", "unknown_value", "invalid_type", "invalid_url", "invalid_value")
_RANGE_ERRORS = ("greater_than", "less_than", "too_long", "too_short", "string_too_long")


@dataclass(frozen=True, slots=True)
class ParsedEdit:
    """A validated edit.

    warnings: what was coerced, is unknown or has no effect. data: the JSON with its merge fields filled.
    """

    edit: Edit
    warnings: tuple[Issue, ...]
    data: Mapping[str, Any]


def parse_edit(data: object, *, merge: Mapping[str, Any] | None = None, strict: bool = False) -> ParsedEdit:
    """Read an edit in the Shotstack format.

    data: decoded JSON. merge: values for placeholders, which override the edit's own.
    strict: refuse an edit with warnings.
    Raises EditInvalid with up to 50 issues: `missing`, `invalid_type`, `invalid_value`, `out_of_range`,
    `invalid_url`, `unsupported_asset`, `unfilled_placeholder`, `nested_placeholder`, `unknown_alias`, `too_large`,
    `too_deep`.
    Warnings have the codes `unknown_field`, `ignored_field`, `unknown_value`, `coerced`, `out_of_range`,
    `unfilled_placeholder`, `nested_placeholder`, `duplicate_alias`, `html_resource_blocked`, `script_ignored`,
    `motion_ignored`, `more_warnings`.
    """
    if not isinstance(data, dict):
        raise EditInvalid([Issue("", "invalid_type", "The edit must be a JSON object.")])
    check_json(data)
    check_json(dict(merge or {}))
    merged = fill_placeholders(data, merge)
    check_json(merged.data)
    _check_clip_count(merged.data)
    try:
        edit = Edit.model_validate(merged.data)
    except ValidationError as error:
        raise _refusal(_explained(_issues(error), merged)) from None
    if errors := list(edit_errors(edit)):
        raise _refusal(errors)
    changed = _explained(field_warnings(edit, merged.data, merged.filled), merged)
    warnings = _bounded([*changed, *edit_warnings(edit)])
    if strict and warnings:
        raise _refusal(warnings)
    return ParsedEdit(edit, warnings, merged.data)


def _check_clip_count(data: Mapping[str, Any]) -> None:
    """Refuse an edit with too many clips before any of them is read."""
    timeline = data.get("timeline")
    tracks = timeline.get("tracks") if isinstance(timeline, dict) else None
    clips = [track.get("clips") for track in tracks if isinstance(track, dict)] if isinstance(tracks, list) else []
    count = sum(len(listed) for listed in clips if isinstance(listed, list))
    if count > MAX_CLIPS:
        detail = f"The edit has {count:,} clips; at most {MAX_CLIPS:,} are allowed."
        raise EditInvalid([Issue("/timeline/tracks", "out_of_range", detail)])


def _issues(error: ValidationError) -> list[Issue]:
    """Return pydantic's errors as issues, without `too_short` for lists whose items are wrong."""
    found = error.errors(include_url=False, include_input=False)
    places = [detail["loc"] for detail in found]
    return [
        _issue(detail)
        for detail in found
        if detail["type"] != "too_short" or not any(_is_below(place, detail["loc"]) for place in places)
    ]


def _is_below(place: tuple[str | int, ...], above: tuple[str | int, ...]) -> bool:
    return len(place) > len(above) and place[: len(above)] == above


def _issue(error: ErrorDetails) -> Issue:
    """Return one of pydantic's errors as an issue; the tags of unions are not part of the path."""
    path = [part for part in error["loc"] if not (isinstance(part, str) and part.startswith("type:"))]
    kind = error["type"]
    detail = error["msg"]
    if kind == "missing" and detail == "Field required":
        code, detail = "missing", "This is required."
    elif kind in ("too_short", "too_long"):
        bound = error["ctx"]["min_length" if kind == "too_short" else "max_length"]
        code, detail = "out_of_range", f"This must have at {'least' if kind == 'too_short' else 'most'} {bound} items."
    elif kind in _OWN_CODES:
        code = kind
    elif kind.startswith(_RANGE_ERRORS):
        code = "out_of_range"
    elif kind.endswith(("_type", "_parsing")):
        code, detail = "invalid_type", detail.replace("Input", "This")
    else:
        code = "invalid_value"
    return Issue(pointer(*path), code, detail.replace("Input should", "This should"))


def _explained(issues: Iterable[Issue], merged: MergedEdit) -> list[Issue]:
    """Return the issues; one that a placeholder within a merge value causes says so."""
    nested = {pointer(*path): names for path, names in merged.nested.items()}
    explained = []
    for issue in issues:
        if issue.pointer in nested and issue.code in _PLACEHOLDER_CODES:
            outer, inner = nested[issue.pointer]
            detail = f"The value of the merge field {outer} holds the merge field {inner}; values are not expanded."
            issue = Issue(issue.pointer, "nested_placeholder", detail)
        explained.append(issue)
    return explained


def _refusal(issues: Sequence[Issue]) -> EditInvalid:
    return EditInvalid(issues[:MAX_ERRORS], truncated=len(issues) > MAX_ERRORS)


def _bounded(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Return the warnings, from `MAX_WARNINGS` on only their number."""
    found = tuple(dict.fromkeys(issues))
    if len(found) <= MAX_WARNINGS:
        return found
    left = len(found) - MAX_WARNINGS
    return (*found[:MAX_WARNINGS], Issue("", "more_warnings", f"There are {left:,} more warnings."))
