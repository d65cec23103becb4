"""SSA, ASS and TTML subtitles: recognised by content, shown at their times."""

from __future__ import annotations

import contextlib
import time

import pytest

from engine.errors import MediaUnreadable
from engine.probe.client import probe_file
from engine.probe.sniff import sniff
from engine.subtitles import parse_cues
from tests.engine.raster_helpers import draw, load, subtitle_media

ASS = r"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,,damaged,,

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not shown
Dialogue: 0,0:00:02.00,0:00:03.50,Default,,0,0,0,,{\an8\i1}Second, with commas\Nand a line{\i0}
Dialogue: 0,0:00:00.20,0:00:01.00,Default,Bob,0,0,0,,First {a comment}line < 2 & 3
Dialogue: 0,0:00:04.00,0:00:05.00,Default,,0,0,0,,{\p1}m 0 0 l 9 9{\p0}
"""
SSA = """; written by hand
[Script Info]
ScriptType: v4.00

[Events]
Format: Marked, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: Marked=0,0:00:01.00,0:00:02.00,Default,,0000,0000,0000,,Old
"""
TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xml:lang="en">
  <head><styling><style xml:id="s"/></styling></head>
  <body><div>
    <p begin="00:00:02.000" end="00:00:03.500" style="s">Second &amp; <span>more</span><br/>
      over two lines</p>
    <p begin="0.2s" dur="800ms">First {line}</p>
  </div></body>
</tt>
"""


def shown(text: str) -> list[tuple[float, float, str]]:
    return [(round(cue.start_s, 3), round(cue.end_s, 3), cue.text) for cue in parse_cues(text)]


def ttml(body: str, attributes: str = "", namespace: str = "http://www.w3.org/ns/ttml") -> str:
    return f'<tt xmlns="{namespace}" xmlns:p="{namespace}#parameter" {attributes}>{body}</tt>'


@pytest.mark.parametrize(
    ("text", "content_type", "duration_s"),
    [(ASS, "text/x-ssa", 3.5), (SSA, "text/x-ssa", 2.0), (TTML, "application/ttml+xml", 3.5)],
)
def test_files_are_recognised_by_content(tmp_path, text, content_type, duration_s):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / f"captions.{encoding}"
        path.write_text(text, encoding=encoding)
        info = probe_file(path)
        assert (info.kind, info.content_type, info.duration_s) == ("subtitle", content_type, duration_s)


def test_ass_dialogue_is_shown_without_overrides_comments_and_drawings():
    assert shown(ASS) == [(0.2, 1.0, "First line < 2 & 3"), (2.0, 3.5, "Second, with commas\nand a line")]


def test_old_ssa_is_read():
    assert shown(SSA) == [(1.0, 2.0, "Old")]


def test_karaoke_times_the_words():
    line = r"Dialogue: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,{\k50}Ka{\kf25}ra{\k25} {\k100}oke"

    (cue,) = parse_cues(f"[Script Info]\n\n[Events]\n{line}\n")

    assert cue.text == "Kara oke"
    assert [(word.start_s, word.text) for word in cue.words] == [(1.0, "Ka"), (1.5, "ra "), (2.0, "oke")]


def test_ttml_paragraphs_are_shown():
    assert shown(TTML) == [(0.2, 1.0, "First {line}"), (2.0, 3.5, "Second & more\nover two lines")]


@pytest.mark.parametrize(
    "namespace",
    ["http://www.w3.org/ns/ttml", "http://www.w3.org/2006/10/ttaf1", "http://www.w3.org/2006/04/ttaf1"],
)
def test_every_namespace_is_read(namespace):
    body = '<body><div><p begin="00:00:01" end="00:00:02">Old</p></div></body>'

    assert shown(ttml(body, namespace=namespace)) == [(1.0, 2.0, "Old")]
    prefixed = f'<t:tt xmlns:t="{namespace}"><t:body><t:div><t:p begin="1s" end="2s">Old</t:p></t:div></t:body></t:tt>'
    assert shown(prefixed) == [(1.0, 2.0, "Old")]


@pytest.mark.parametrize(
    ("attributes", "begin", "end", "expected"),
    [
        ("", "00:00:01:15", "00:00:02:00", (1.5, 2.0)),
        ('p:frameRate="25"', "00:00:01:05", "50f", (1.2, 2.0)),
        ('p:frameRate="24" p:frameRateMultiplier="1000 1001"', "24f", "48f", (1.001, 2.002)),
        ('p:tickRate="10000000"', "12345000t", "20000000t", (1.234, 2.0)),
        ("", "0.5m", "0.01h", (30.0, 36.0)),
    ],
)
def test_times_in_frames_and_ticks(attributes, begin, end, expected):
    body = f'<body><div><p begin="{begin}" end="{end}">x</p></div></body>'

    ((start_s, end_s, _),) = shown(ttml(body, attributes))

    assert (start_s, end_s) == pytest.approx(expected, abs=0.0011)


def test_times_count_from_the_container():
    body = (
        '<body begin="10s"><div begin="1s" end="5s"><div><p begin="1s" end="2s">a</p><p begin="3s">b</p></div></div>'
        '<div timeContainer="seq"><p dur="1s">c</p><p dur="2s">d</p></div></body>'
    )

    assert shown(ttml(body)) == [(10.0, 11.0, "c"), (11.0, 13.0, "d"), (12.0, 13.0, "a"), (14.0, 15.0, "b")]


def test_cues_without_an_end_last_until_the_next():
    body = '<body><div><p begin="1s">a</p><p begin="4s">b</p></div></body>'

    assert shown(ttml(body)) == [(1.0, 4.0, "a"), (4.0, 7.0, "b")]


def test_times_of_spans_count_for_the_paragraph():
    body = '<body><div><p><span begin="1s" end="2s">Hel</span><span begin="2s" end="3s">lo</span></p></div></body>'

    assert shown(ttml(body)) == [(1.0, 3.0, "Hello")]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE tt [<!ENTITY a "b">]>' + TTML.partition("?>")[2],
        TTML[:-20],
        TTML.replace("0.2s", "soon"),
        ttml("<body/>", 'p:frameRate="0"'),
        ttml("<div>" * 99 + "</div>" * 99).replace("<div>", "<body><div>", 1).replace("</tt>", "</body></tt>"),
        SSA.replace("0:00:01.00", "now"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text):
    path = tmp_path / "captions"
    path.write_text(text)

    with pytest.raises(MediaUnreadable) as caught:
        probe_file(path)

    assert caught.value.reason in ("damaged", "unsupported_type")


@pytest.mark.parametrize(
    "text",
    [
        "[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,D,,0,0,0,," + "{" * 2_000_000,
        "[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,D,,0,0,0,," + r"{\k1}" * 400_000 + "x",
        "[Script Info]\n" + "[" + "a" * 2_000_000,
        "1\n00:00:00,000 --> 00:00:01,000\n" + "<b " * 700_000 + r"{\b" * 500_000 + "&a" * 500_000,
        ttml('<body><div><p begin="0s" end="1s">' + "<span> </span>" * 200_000 + "</p></div></body>"),
        "<tt " * 500_000,
    ],
)
def test_hostile_files_take_no_long_time(tmp_path, text):
    path = tmp_path / "captions"
    path.write_text(text)
    started_at = time.process_time()

    with contextlib.suppress(MediaUnreadable):
        probe_file(path)

    assert time.process_time() - started_at < 5


def test_an_xml_file_that_is_no_ttml_is_refused(tmp_path):
    path = tmp_path / "page"
    path.write_text("<html xmlns='http://www.w3.org/1999/xhtml'><body>http://www.w3.org/ns/ttml</body></html>")

    with pytest.raises(MediaUnreadable):
        sniff(path)


@pytest.mark.parametrize("text", [ASS, TTML])
def test_captions_are_drawn_at_their_frames(tmp_path, text):
    asset = {"type": "caption", "src": "https://e.com/a"}

    raster = draw(asset, tmp_path, frames=100, media=subtitle_media(tmp_path / "a", text))

    assert [(frame.frames, load(frame.path).getbbox() is not None) for frame in raster.pictures] == [
        (5, False),
        (20, True),
        (25, False),
        (38, True),
        (12, False),
    ]
