"""The JSON Schema of edits, and the parsing of randomly mangled edits."""

from __future__ import annotations

import copy
import random

import jsonschema
import pytest

from engine.errors import EditInvalid
from engine.language import edit_json_schema, parse_edit
from engine.timeline import estimate
from tests.engine.edit_factories import ASSETS, edit_of, title


@pytest.fixture(scope="module")
def validator():
    schema = edit_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(("given", "kind"), ASSETS, ids=[kind for _, kind in ASSETS])
def test_exports_a_schema_that_describes_valid_edits(validator, given, kind):
    data = edit_of(title(asset={**given, **({"position": "topLeft"} if kind == "html" else {})}))
    if kind in ("rich-text", "rich-caption"):
        data["timeline"]["tracks"][0]["clips"][0]["asset"] = {"type": kind, "text": "x", "src": "https://e.com/x"}
    assert list(validator.iter_errors(data)) == []
    data["timeline"]["tracks"][0]["clips"][0]["asset"] = {"type": "hologram"}
    assert list(validator.iter_errors(data)) != []


def test_schema_uses_the_given_reference_template():
    schema = edit_json_schema("#/components/schemas/{model}")
    mapping = schema["$defs"]["Clip"]["properties"]["asset"]["discriminator"]["mapping"]
    assert mapping["video"] == "#/components/schemas/VideoAsset"
    assert "UnsupportedAsset" not in str(schema)


JUNK = [None, True, 0, -1, 1e308, 2**62, "", "x", "{{A}}", "alias://a", "auto", "end", [], {}, [[]], {"a": 1}, "5",
        "nan", [{"from": 0, "to": "x"}], [{"start": 5, "length": 0}], "\u202e", "video", 3.7, [1, 2]]  # fmt: skip


def places_in(value):
    """Yield every container in a value with each key or index of it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from places_in(item)


def outcome(data):
    """Return the number of frames of an edit and no issues, or 0 and its issues."""
    try:
        return estimate(parse_edit(data).edit).frames, ()
    except EditInvalid as error:
        return 0, error.issues


@pytest.mark.parametrize("seed", range(20))
def test_any_mangled_edit_is_read_or_refused_with_pointers(seed):
    rng = random.Random(seed)
    for _ in range(15):
        clips = [title(asset=copy.deepcopy(given), opacity=[{"from": 0, "to": 1}]) for given, _ in ASSETS]
        data = edit_of(*clips, merge=[{"find": "A", "replace": rng.choice(JUNK)}])
        for _ in range(rng.choice([1, 2, 5])):
            container, key = rng.choice(list(places_in(data)))
            container[key] = copy.deepcopy(rng.choice(JUNK))
        frames, issues = outcome(data)
        assert frames >= 1 or issues
        tops = {issue.pointer.split("/")[1] for issue in issues if issue.pointer}
        assert tops <= {*data, "timeline", "output", "merge"}
