"""Interpolation: `{{ event.data.x }}` looks values up, and does nothing else."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automations.interpolation import (
    MAX_TEXT_LENGTH,
    Interpolator,
    InvalidExpression,
    find_invalid_expressions,
    parse_text,
)

DATA = {
    "event": {
        "type": "manual",
        "data": {
            "name": "Ana",
            "n": 3,
            "ratio": 0.5,
            "yes": True,
            "nothing": None,
            "items": [{"sku": "a-1"}, "second"],
            "nested": {"a": {"b": "deep"}},
            "evil": "{{ event.data.name }}",
            "__class__": "a plain member",
            "keys": "x",
        },
    },
    "automation": {"id": "aut_1", "name": "Nightly"},
}


def interpolate(text):
    interpolator = Interpolator(DATA)
    return interpolator.interpolate(text, "/t"), [
        (problem["pointer"], problem["code"]) for problem in interpolator.problems
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{ { event } }", "{ { event } }"),
        ("a } b }} c", "a } b }} c"),
        ("Hello {{ event.data.name }}!", "Hello Ana!"),
        ("{{event.data.name}}{{automation.name}}", "AnaNightly"),
        ("{{ event.data.n }}", 3),
        ("n={{ event.data.n }} {{ event.data.ratio }} {{ event.data.yes }}", "n=3 0.5 true"),
        ("{{ event.data.yes }}", True),
        ("{{ event.data.items }}", [{"sku": "a-1"}, "second"]),
        ("{{ event.data.items.0.sku }}", "a-1"),
        ("{{ event.data.items.1 }}", "second"),
        ("{{ event.data.nested.a.b }}", "deep"),
        ('{{ event.data.gone | default("none") }}', "none"),
        ('{{ event.data.gone | default("}} {{ \\" ") }}', '}} {{ " '),
        ('{{ event.data.name | default("none") }}', "Ana"),
        ("{{ event.data.nothing | default(7) }}", 7),
        ("{{ event.data.gone | default(null) }}", None),
        ("x{{ event.data.gone | default(false) }}", "xfalse"),
        # Inserted text is not parsed again.
        ("{{ event.data.evil }}", "{{ event.data.name }}"),
        ("{{ event.data.evil }}.", "{{ event.data.name }}."),
        # Members of data, whatever their names; never attributes.
        ("{{ event.data.__class__ }}", "a plain member"),
        ("{{ event.data.keys }}", "x"),
    ],
)
def test_inserts_values(text, value) -> None:
    assert interpolate(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ event.data.gone }}", "missing_value"),
        ("{{ event.data.nothing }}", "missing_value"),
        ("{{ event.__class__ }}", "missing_value"),
        ("{{ event.data.name.__class__.__mro__ }}", "missing_value"),
        ("{{ event.data.name.upper }}", "missing_value"),
        ("{{ event.data.items.2 }}", "missing_value"),
        ("{{ event.data.items.-1 }}", "missing_value"),
        ("{{ event.data.items.99999999999999999999 }}", "missing_value"),
        ("{{ event.data.items.append }}", "missing_value"),
        ("{{ event.items }}", "missing_value"),
        ("x{{ event.data.items }}", "not_text"),
        ("{{ event.data.nested }}x", "not_text"),
        ("{{ __class__ }}", "malformed_expression"),
        ("{{ NAME }}", "malformed_expression"),
        ("{{ }}", "malformed_expression"),
        ("{{", "malformed_expression"),
        ("{{ event", "malformed_expression"),
        ("{{ event.data.name() }}", "malformed_expression"),
        ("{{ event['data'] }}", "malformed_expression"),
        ("{{ event.data | upper }}", "malformed_expression"),
        ("{{ event..data }}", "malformed_expression"),
        ("{{ event.data.name | default(event) }}", "malformed_expression"),
        ("{{ event.data.name | default([1]) }}", "malformed_expression"),
        ("{{ event.data.name | default(NaN) }}", "malformed_expression"),
        ("{{ event.data.name | default(1e999) }}", "malformed_expression"),
        ('{{ event.data.name | default("\\u0000") }}', "malformed_expression"),
        ("{{ 1+1 }}", "malformed_expression"),
        ("{% for x in event %}{{ x }}", "malformed_expression"),
        ("{{ {{ event.data.name }} }}", "malformed_expression"),
        ("{{ event" + ".a" * 30 + " }}", "malformed_expression"),
        ("{{ event.type }}" * 51, "malformed_expression"),
        ("x" * (MAX_TEXT_LENGTH + 1), "malformed_expression"),
    ],
)
def test_reports_problems(text, code) -> None:
    _, problems = interpolate(text)
    assert problems == [("/t", code)]


def test_interpolates_json_values_and_reports_problems_with_pointers() -> None:
    value = {
        "A": "{{ event.data.name }}",
        "list": ["{{ event.data.n }}", "{{ gone }}"],
        "x/y~": "{{ event.no }}",
        "n": 1,
    }
    result, problems = interpolate(value)
    assert (result["A"], result["list"][0], result["n"]) == ("Ana", 3, 1)
    assert problems == [("/t/list/1", "malformed_expression"), ("/t/x~1y~0", "missing_value")]


def test_limits_depth_number_of_problems_and_length() -> None:
    deep: object = "{{ event.type }}"
    for _ in range(200):
        deep = [deep]
    assert interpolate(deep)[1][0][1] == "too_deep"
    assert [problem["code"] for problem in find_invalid_expressions(deep)] == ["too_deep"]
    interpolator = Interpolator(DATA)
    interpolator.interpolate(["{{ event.gone }}"] * 10_000)
    assert len(interpolator.problems) == 50
    big = Interpolator({"event": {"data": "x" * 5000}})
    assert big.interpolate("{{ event.data }}" * 5) is None
    assert big.problems[0]["code"] == "too_long"


def test_a_short_text_cannot_insert_a_long_value_many_times() -> None:
    for text in ("{{ event.data }}", "a {{ event.data.0 }}"):
        interpolator = Interpolator({"event": {"data": ["x" * 15_000]}})
        interpolator.interpolate({"texts": [text] * 3000}, "/merge")
        assert [(problem["pointer"], problem["code"]) for problem in interpolator.problems] == [
            ("/merge/texts/4", "too_long")
        ]


def test_finds_malformed_expressions_without_data() -> None:
    value = {"a": "{{ event.data.x }}", "b": ["{{ x }}", "{{"], "c": None, "d": 1}
    assert [problem["pointer"] for problem in find_invalid_expressions(value, "/merge")] == ["/merge/b/0", "/merge/b/1"]


@pytest.mark.parametrize("piece", ["{{", "{{ a", '{{ "', "{{ event.a", "{", '{{ event | default("', "}}{{", "\\", '"'])
def test_hostile_texts_are_parsed_quickly(piece) -> None:
    text = (piece * MAX_TEXT_LENGTH)[:MAX_TEXT_LENGTH]
    started_at = time.process_time()
    for _ in range(10):
        with suppress(InvalidExpression):
            parse_text(text)
    assert time.process_time() - started_at < 1.0


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}" \\|.abeventdefault()0_', max_size=60))
def test_never_raises(text) -> None:
    interpolator = Interpolator(DATA)
    result = interpolator.interpolate(text)
    assert interpolator.problems or result is not None or "default(null)" in text
    if "{{" not in text:
        assert result == text
