"""Edit parsing: what is accepted, what is refused and where, and what only causes a warning."""

from __future__ import annotations

import copy
import math

import pytest

from engine.errors import EditInvalid
from engine.language import parse_color, parse_edit, sources
from engine.language.parse import MAX_WARNINGS
from tests.engine.edit_factories import ASSETS, asset, edit_of, parsed, refused, title, warned

CLIP = "/timeline/tracks/0/clips/0"


def first_clip(data, **options):
    return parsed(data, **options).timeline.tracks[0].clips[0]


def test_reads_a_plain_edit_without_warnings():
    result = parse_edit(edit_of(title(transition={"in": "fade", "out": "slideLeftFast"}, effect="zoomInSlow")))
    clip = result.edit.timeline.tracks[0].clips[0]
    assert result.warnings == ()
    assert (clip.asset.type, clip.asset.text, clip.start, clip.length) == ("title", "Hi", 0.0, 2.0)
    assert (clip.transition.in_, clip.transition.out, clip.effect) == ("fade", "slideLeftFast", "zoomInSlow")


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_refuses_an_edit_that_is_not_an_object(body):
    assert refused(body) == [("", "invalid_type")]


@pytest.mark.parametrize(("given", "kind"), ASSETS, ids=[kind for _, kind in ASSETS])
def test_reads_every_type_of_asset(given, kind):
    result = parse_edit(edit_of(title(asset=given)))
    assert result.warnings == ()
    assert result.edit.timeline.tracks[0].clips[0].asset.type == kind


def changed(path: str, value) -> dict:
    """Return an edit with one value replaced; the path is dotted, a value of KeyError removes the key."""
    data = edit_of(
        title(asset=asset("video", "https://e.com/v.mp4")),
        timeline={"soundtrack": {"src": "https://e.com/s.mp3"}, "fonts": [{"src": "https://e.com/f.ttf"}]},
    )
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = data
    for part in way:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return data


C = "timeline.tracks.0.clips.0"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("timeline", KeyError, "missing"),
        ("output", KeyError, "missing"),
        ("output.format", KeyError, "missing"),
        ("timeline.tracks", KeyError, "missing"),
        ("timeline.tracks", [], "out_of_range"),
        ("timeline.tracks", {}, "invalid_type"),
        ("timeline.tracks.0.clips", "x", "invalid_type"),
        (f"{C}.asset", KeyError, "missing"),
        (f"{C}.asset", "video", "invalid_type"),
        (f"{C}.asset.src", KeyError, "missing"),
        (f"{C}.asset.src", "", "missing"),
        (f"{C}.asset.src", 5, "invalid_type"),
        (f"{C}.asset.src", "file:///etc/passwd", "invalid_url"),
        (f"{C}.asset.src", "/etc/passwd", "invalid_url"),
        (f"{C}.asset.src", "concat:a|b", "invalid_url"),
        (f"{C}.asset.src", "data:video/mp4;base64,AAAA", "invalid_url"),
        (f"{C}.asset.src", "http://", "invalid_url"),
        (f"{C}.asset.src", "alias://other", "unsupported_asset"),
        (f"{C}.asset.src", "{{ VIDEO }}", "unfilled_placeholder"),
        (f"{C}.asset.src", "https://e.com/{{ VIDEO }}.mp4", "unfilled_placeholder"),
        (f"{C}.asset.type", KeyError, "missing"),
        (f"{C}.asset.type", "hologram", "unsupported_asset"),
        (f"{C}.asset.type", "text-to-speech", "unsupported_asset"),
        (f"{C}.asset.type", 7, "invalid_type"),
        (f"{C}.start", KeyError, "missing"),
        (f"{C}.start", "soon", "invalid_type"),
        (f"{C}.start", -1, "out_of_range"),
        (f"{C}.start", True, "invalid_type"),
        (f"{C}.start", "{{ START }}", "unfilled_placeholder"),
        (f"{C}.start", "alias://missing", "unknown_alias"),
        (f"{C}.length", 0, "out_of_range"),
        (f"{C}.length", [], "invalid_type"),
        (f"{C}.scale", {}, "invalid_type"),
        (f"{C}.opacity", "half", "invalid_type"),
        (f"{C}.asset.crop", {"left": 0.5, "right": 0.5}, "out_of_range"),
        ("output.format", "avi", "invalid_value"),
        ("output.resolution", "8k", "invalid_value"),
        ("output.aspectRatio", "21:9", "invalid_value"),
        ("output.fps", 0, "out_of_range"),
        ("output.fps", 121, "out_of_range"),
        ("output.range", {"start": 0, "length": 0}, "out_of_range"),
        ("timeline.soundtrack.src", "ftp://e.com/s.mp3", "invalid_url"),
        ("timeline.fonts.0.src", "Arial", "invalid_url"),
        ("merge", {"find": "A"}, "invalid_type"),
    ],
)
def test_refuses_with_a_pointer_to_the_fault(path, value, code):
    data = changed(path, value)
    pointer = "/" + path.replace(".", "/")
    found = refused(data)
    expected = {
        "/output/range": "/output/range/length",
    }.get(pointer, pointer)
    assert (expected, code) in found
    assert len(found) == 1


@pytest.mark.parametrize(
    ("size", "place", "code"),
    [
        ({"width": 15, "height": 100}, "width", "out_of_range"),
        ({"width": 7682, "height": 100}, "width", "out_of_range"),
        ({"width": 100, "height": 4322}, "height", "out_of_range"),
        ({"width": 100}, "height", "missing"),
        ({"width": 100.5, "height": 100}, "width", "invalid_value"),
        ({"width": "wide", "height": 100}, "width", "invalid_type"),
    ],
)
def test_refuses_impossible_sizes(size, place, code):
    data = edit_of(title(), output={"size": size, "resolution": None})
    assert refused(data) == [(f"/output/size/{place}", code)]


def test_size_overrides_the_named_resolution_with_a_warning():
    size = {"width": 640, "height": 480}
    result = parse_edit(edit_of(title(), output={"size": size, "aspectRatio": "1:1"}))
    assert warned(result) == [("/output/resolution", "ignored_field"), ("/output/aspectRatio", "ignored_field")]
    assert parse_edit(edit_of(title(), output={"size": size, "resolution": None})).warnings == ()


def test_refuses_odd_sizes_for_video_only():
    data = edit_of(title(), output={"size": {"width": 101, "height": 99}, "resolution": None})
    assert refused(data) == [("/output/size/width", "invalid_value"), ("/output/size/height", "invalid_value")]
    data["output"]["format"] = "png"
    assert parsed(data).output.size.width == 101


@pytest.mark.parametrize("js", ["gsap.to('.x', {x: 1})", " run() "])
def test_refuses_html5_with_script(js):
    data = edit_of(title(asset={"type": "html5", "html": "<p>x</p>", "js": js}))
    assert refused(data) == [(f"{CLIP}/asset/js", "unsupported_asset")]


def test_refuses_generative_media():
    data = edit_of(title(asset={"type": "image", "prompt": "a lake"}))
    assert refused(data) == [(f"{CLIP}/asset", "unsupported_asset")]


def test_refuses_shapes_without_dimensions():
    data = edit_of(title(asset={"type": "svg", "shape": {"type": "ring", "outerRadius": 5}}))
    with pytest.raises(EditInvalid, match="innerRadius"):
        parse_edit(data)
    assert refused(edit_of(title(asset={"type": "shape", "shape": "line"}))) == [(f"{CLIP}/asset", "missing")]


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (f"{C}.effect", "explode", "unknown_value"),
        (f"{C}.filter", "sepia", "unknown_value"),
        (f"{C}.fit", "squeeze", "unknown_value"),
        (f"{C}.position", "nowhere", "unknown_value"),
        (f"{C}.transition.in", "teleport", "unknown_value"),
        (f"{C}.asset.volumeEffect", "bang", "unknown_value"),
        (f"{C}.opacity", 1.5, "out_of_range"),
        (f"{C}.asset.speed", 11, "out_of_range"),
        (f"{C}.start", "1.5", "coerced"),
        (f"{C}.scale", "0.5", "coerced"),
        (f"{C}.width", 100.4, "coerced"),
        (f"{C}.transform.flip.horizontal", "true", "coerced"),
        (f"{C}.sparkle", 1, "unknown_field"),
        (f"{C}.asset.transcode", True, "ignored_field"),
        (f"{C}.asset.prompt", "x", "ignored_field"),
        ("timeline.background", "sky", "unknown_value"),
        ("timeline.cache", False, "ignored_field"),
        ("output.width", 1280, "ignored_field"),
        ("output.quality", "superb", "unknown_value"),
        ("output.fps", "30", "coerced"),
        ("disk", "mount", "ignored_field"),
        ("instance", "s2", "ignored_field"),
        ("a/b~c", 1, "unknown_field"),
    ],
)
def test_warns_about_changed_values_and_ignored_keys(path, value, code):
    data = changed(path, value)
    pointer = "/" + path.replace(".", "/") if "~" not in path else "/a~1b~0c"
    assert warned(parse_edit(data)) == [(pointer, code)]
    assert refused(data, strict=True) == [(pointer, code)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{C}.position", "top-right"),
        (f"{C}.transition.in", "CarouselLeftSlow"),
        (f"{C}.alias", "intro"),
        (f"{C}.id", "f47ac10b-58cc-4372-a567-0e02b2c3d479"),
        (f"{C}.id", 7),
        (f"{C}.opacity", None),
        ("output.resolution", 1080),
        ("output.resolution", "4K"),
        ("output.destinations", [{"provider": "shotstack"}]),
        ("callback", "https://e.com/hook"),
        ("id", "abc"),
        ("timeline.background", "#fff"),
        ("timeline.background", "rgba(10, 20, 30, 0.5)"),
    ],
)
def test_accepts_common_spellings_without_a_warning(path, value):
    assert parse_edit(changed(path, value), strict=True).warnings == ()


def test_unknown_effects_filters_and_positions_fall_back_to_defaults():
    clip = first_clip(edit_of(title(effect="explode", filter="sepia", position="nowhere")))
    assert (clip.effect, clip.filter, clip.position) == (None, None, "center")


def test_suggests_the_closest_known_key():
    (warning,) = parse_edit(edit_of(title(opacty=0.5))).warnings
    assert "opacity" in warning.detail


def test_warns_about_destinations_that_get_no_output():
    data = edit_of(title(), output={"destinations": [{"provider": "s3", "options": {"bucket": "b"}}]})
    assert warned(parse_edit(data)) == [
        ("/output/destinations/0/options", "ignored_field"),
        ("/output/destinations/0", "ignored_field"),
    ]


@pytest.mark.parametrize("name", ["alignment", "align"])
def test_accepts_both_names_of_the_alignment(name):
    for kind in ("text", "rich-text"):
        given = {"type": kind, "text": "x", name: {"horizontal": "left"}}
        result = parse_edit(edit_of(title(asset=given)))
        found = result.edit.timeline.tracks[0].clips[0].asset
        assert result.warnings == ()
        assert (found.alignment if kind == "text" else found.align).horizontal == "left"


def test_reads_tweens_and_points_at_issues_inside_them():
    tweens = [{"from": 0, "to": 1, "start": 0, "length": 1, "interpolation": "bezier", "easing": "easeInOutBack"}]
    clip = first_clip(edit_of(title(opacity=tweens, offset={"x": copy.deepcopy(tweens)})))
    assert (clip.opacity[0].from_, clip.opacity[0].to, clip.opacity[0].easing) == (0.0, 1.0, "easeInOutBack")
    broken = copy.deepcopy(tweens)
    broken[0]["length"] = "long"
    assert refused(edit_of(title(opacity=broken))) == [(f"{CLIP}/opacity/0/length", "invalid_type")]
    broken[0]["length"] = 1
    broken[0]["easing"] = "wobble"
    assert warned(parse_edit(edit_of(title(opacity=broken)))) == [(f"{CLIP}/opacity/0/easing", "unknown_value")]


@pytest.mark.parametrize(
    ("given", "place", "code"),
    [
        ({"html": "<img src='http://e.com/x.png'>"}, "html", "html_resource_blocked"),
        ({"html": "<p>x</p>", "css": "p{background:url(//e.com/x.png)}"}, "css", "html_resource_blocked"),
        ({"html": "<p>x</p>", "css": "@import 'x.css';"}, "css", "html_resource_blocked"),
        ({"html": "<script>x()</script>"}, "html", "script_ignored"),
        ({"html": "<p>x</p>", "css": "@keyframes a{}"}, "css", "motion_ignored"),
    ],
)
def test_warns_about_unsupported_html(given, place, code):
    result = parse_edit(edit_of(title(asset={"type": "html", **given})))
    assert warned(result) == [(f"{CLIP}/asset/{place}", code)]


def test_reports_fifty_errors_and_marks_them_as_truncated():
    data = edit_of(*[title(start="x") for _ in range(60)])
    with pytest.raises(EditInvalid) as caught:
        parse_edit(data)
    assert len(caught.value.issues) == 50
    assert caught.value.truncated
    assert caught.value.issues[49].pointer == "/timeline/tracks/0/clips/49/start"


def test_limits_the_number_of_warnings():
    result = parse_edit(edit_of(*[title(sparkle=1) for _ in range(MAX_WARNINGS + 5)]))
    assert len(result.warnings) == MAX_WARNINGS + 1
    assert (result.warnings[-1].code, "5" in result.warnings[-1].detail) == ("more_warnings", True)


def test_refuses_too_many_clips_and_too_long_timelines():
    assert refused(edit_of(*[title()] * 5001)) == [("/timeline/tracks", "out_of_range")]
    assert refused(edit_of(title(start=3599, length=2))) == [(CLIP, "out_of_range")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (math.nan, "invalid_value"),
        (math.inf, "invalid_value"),
        (10**400, "out_of_range"),
        ("a\x00b", "invalid_value"),
        ("\ud800", "invalid_value"),
        (object(), "invalid_type"),
    ],
)
def test_refuses_values_that_json_or_a_database_cannot_hold(value, code):
    assert refused(edit_of(title(note=value))) == [(f"{CLIP}/note", code)]


def test_refuses_deep_nesting_without_running_out_of_stack():
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    ((_, code),) = refused(edit_of(title(note=deep)))
    assert code == "too_deep"
    while isinstance(deep, list):  # unpacked by hand, as deep lists are costly to collect
        deep = deep.pop()


def test_lists_the_sources_with_their_pointers_and_kinds():
    data = edit_of(
        title(asset=asset("video", "https://e.com/v.mp4")),
        title(asset=asset("caption", "https://e.com/c.srt")),
        title(),
        title(asset=asset("luma", "asset:ast_1")),
        timeline={"soundtrack": {"src": "https://e.com/s.mp3"}, "fonts": [{"src": "https://e.com/f.ttf"}]},
    )
    assert [(ref.pointer, ref.url, ref.kind.value) for ref in sources(parsed(data))] == [
        ("/timeline/soundtrack/src", "https://e.com/s.mp3", "soundtrack"),
        ("/timeline/fonts/0/src", "https://e.com/f.ttf", "font"),
        (f"{CLIP}/asset/src", "https://e.com/v.mp4", "video"),
        ("/timeline/tracks/0/clips/1/asset/src", "https://e.com/c.srt", "caption"),
        ("/timeline/tracks/0/clips/3/asset/src", "asset:ast_1", "luma"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#ff8000", (255, 128, 0, 255)),
        ("ff8000", (255, 128, 0, 255)),
        ("#f80", (255, 136, 0, 255)),
        ("#80ff8000", (255, 128, 0, 128)),
        ("red", (255, 0, 0, 255)),
        ("transparent", (0, 0, 0, 0)),
        ("rgba(1,2,3,0.5)", (1, 2, 3, 128)),
        ("rgb(1,2,3)", (1, 2, 3, 255)),
    ],
)
def test_reads_colours(text, expected):
    assert parse_color(text) == expected


@pytest.mark.parametrize("text", ["", "#12", "#12345g", "colour", "rgb(", "x" * 100])
def test_refuses_invalid_colours(text):
    with pytest.raises(ValueError):
        parse_color(text)
