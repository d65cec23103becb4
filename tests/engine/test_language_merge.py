"""Merge fields."""

from __future__ import annotations

import pytest

from engine.language import parse_edit
from tests.engine.edit_factories import edit_of, parsed, refused, title, warned

CLIP = "/timeline/tracks/0/clips/0"


def text_of(text: str, fields=(), **options) -> str:
    data = edit_of(title(asset={"type": "title", "text": text}), merge=list(fields))
    return parsed(data, **options).timeline.tracks[0].clips[0].asset.text


@pytest.mark.parametrize("written", ["{{NAME}}", "{{ NAME }}", "{{  NAME}}"])
def test_ignores_blanks_inside_placeholders(written):
    assert text_of(f"Hi {written}!", [{"find": "NAME", "replace": "Ana"}]) == "Hi Ana!"


def test_values_of_the_caller_override_those_of_the_edit():
    assert text_of("{{NAME}}", [{"find": "NAME", "replace": "Ana"}], merge={"NAME": "Bo"}) == "Bo"


def test_names_are_case_sensitive():
    assert text_of("{{name}}{{NAME}}", [{"find": "NAME", "replace": "x"}], merge={"name": "y"}) == "yx"


def test_fills_several_in_one_text_and_none_inside_values():
    fields = [{"find": "A", "replace": "{{B}}"}, {"find": "B", "replace": "b"}]
    assert text_of("{{A}}-{{B}}", fields) == "{{B}}-b"


@pytest.mark.parametrize(
    ("value", "written"), [(5, "5"), (2.5, "2.5"), (True, "true"), (None, ""), ([1, "a"], '[1,"a"]')]
)
def test_writes_values_of_other_types_into_text(value, written):
    assert text_of("<{{X}}>", [{"find": "X", "replace": value}]) == f"<{written}>"


def test_whole_placeholder_gets_the_type_of_its_value():
    data = edit_of(
        title(start="{{AT}}", length="{{ LONG }}", offset="{{OFF}}", transition="{{T}}"),
        merge=[
            {"find": "AT", "replace": 1.5},
            {"find": "LONG", "replace": "4"},
            {"find": "OFF", "replace": {"x": 0.25}},
            {"find": "T", "replace": None},
        ],
    )
    result = parse_edit(data)
    clip = result.edit.timeline.tracks[0].clips[0]
    assert (clip.start, clip.length, clip.offset.x) == (1.5, 4.0, 0.25)
    assert result.warnings == ()


def test_fills_the_source_the_format_and_whole_tracks():
    data = edit_of(title(), merge=[{"find": "TRACKS", "replace": [{"clips": [title()]}]}])
    data["timeline"]["tracks"] = "{{TRACKS}}"
    data["output"] = {"format": "{{F}}"}
    edit = parsed(data, merge={"F": "gif"})
    assert edit.output.format == "gif"
    assert len(edit.timeline.tracks) == 1


def test_warns_about_an_unfilled_placeholder_in_text():
    result = parse_edit(edit_of(title(asset={"type": "title", "text": "Hi {{WHO}}"})))
    assert warned(result) == [(f"{CLIP}/asset/text", "unfilled_placeholder")]
    assert result.edit.timeline.tracks[0].clips[0].asset.text == "Hi {{WHO}}"


def test_does_not_change_its_input():
    data = edit_of(title(start="{{AT}}"), merge=[{"find": "AT", "replace": 1}])
    parse_edit(data, merge={"AT": 2})
    assert data["timeline"]["tracks"][0]["clips"][0]["start"] == "{{AT}}"


def test_points_at_an_invalid_filled_value():
    data = edit_of(title(start="{{AT}}"), merge=[{"find": "AT", "replace": "soon"}])
    assert refused(data) == [(f"{CLIP}/start", "invalid_type")]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ([{"replace": "x"}], "/merge/0/find"),
        (["x"], "/merge/0"),
        ([{"find": ["x"]}], "/merge/0/find"),
    ],
)
def test_refuses_broken_merge_fields(fields, place):
    assert [pointer for pointer, _ in refused(edit_of(title(), merge=fields))] == [place]


def test_refuses_values_that_make_the_edit_too_large():
    clips = [title(asset={"type": "title", "text": "{{A}}" * 100}) for _ in range(100)]
    data = edit_of(*clips, merge=[{"find": "A", "replace": "x" * 10_000}])
    assert refused(data) == [("/merge", "too_large")]


def test_refuses_large_objects_inserted_in_many_places():
    value = [["x" * 10_000]]
    data = edit_of(*[title(note="{{A}}") for _ in range(1000)], merge=[{"find": "A", "replace": value}])
    assert refused(data) == [("/merge", "too_large")]


def test_refuses_deep_nesting_inside_values():
    value: object = 1
    for _ in range(60):
        value = [value]
    data = edit_of(title(note="{{A}}"), merge=[{"find": "A", "replace": value}])
    ((_, code),) = refused(data)
    assert code == "too_deep"


@pytest.mark.parametrize("find", ["F", "{{F}}", "{{ F }}", " {{ F}} "])
def test_find_may_have_its_braces_even_under_strict(find):
    data = edit_of(title(asset={"type": "title", "text": "Hi {{ F }}"}), merge=[{"find": find, "replace": "Ana"}])
    result = parse_edit(data, strict=True)
    assert result.warnings == ()
    assert result.edit.timeline.tracks[0].clips[0].asset.text == "Hi Ana"


NESTED = [{"find": "A", "replace": "{{ B }}"}, {"find": "B", "replace": "b"}]


@pytest.mark.parametrize("text", ["{{ A }}", "Hi {{A}}", "{{B}} {{A}}"])
def test_tells_a_placeholder_within_a_value_from_one_without_a_value(text):
    (warning,) = parse_edit(edit_of(title(asset={"type": "title", "text": text}), merge=NESTED)).warnings
    assert (warning.pointer, warning.code) == (f"{CLIP}/asset/text", "nested_placeholder")
    assert "merge field A holds the merge field B" in warning.detail


@pytest.mark.parametrize(
    ("fields", "place", "codes"),
    [
        ({"asset": {"type": "image", "src": "{{A}}"}}, "/asset/src", "nested_placeholder"),
        ({"asset": {"type": "image", "src": "https://e.com/{{A}}.png"}}, "/asset/src", "nested_placeholder"),
        ({"start": "{{A}}"}, "/start", "nested_placeholder"),
        ({"scale": "{{A}}"}, "/scale", "nested_placeholder"),
        ({"scale": "{{C}}"}, "/scale", "unfilled_placeholder"),
    ],
)
def test_refuses_a_nested_value_where_text_is_not_wanted_as_what_it_is(fields, place, codes):
    assert refused(edit_of(title(**fields), merge=NESTED)) == [(CLIP + place, codes)]


def test_tells_a_nested_value_in_words_colours_and_inserted_objects():
    value = {"type": "title", "text": "x", "color": "{{B}}", "style": "{{B}}"}
    fields = [{"find": "A", "replace": value}, *NESTED[1:]]
    result = parse_edit(edit_of(title(asset="{{A}}"), merge=fields))
    places = [f"{CLIP}/asset/color", f"{CLIP}/asset/style"]
    assert sorted(warned(result)) == [(place, "nested_placeholder") for place in places]


def test_does_not_call_other_faults_of_a_text_with_a_nested_value_nested():
    asset = {"type": "html", "html": "{{A}}<img src='https://e.com/a.png'>"}
    codes = [code for _, code in warned(parse_edit(edit_of(title(asset=asset), merge=NESTED)))]
    assert codes == ["nested_placeholder", "html_resource_blocked"]
