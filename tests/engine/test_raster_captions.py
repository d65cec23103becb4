"""Captions: cues of subtitle files, on the output's frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.raster import DrawingFailed
from engine.subtitles import parse_cues, read_subtitles
from tests.engine.raster_helpers import colors, draw, load, subtitle_media, visible_box

SRT = """1
00:00:00,200 --> 00:00:01,000
First line

2
00:00:02,000 --> 00:00:03,000
<i>Second</i> &amp; {\\an8}more
over two lines
"""
VTT = """WEBVTT - title

NOTE not shown

STYLE
::cue { color: red }

intro
00:00.000 --> 00:02.000 align:start
One <00:00.400>two <00:01.200>three

01:02:03.5 --> 01:02:04.000
<v Bob>Late</v>
"""


def caption(**fields):
    return {"type": "caption", "src": "https://e.com/a.srt", **fields}


def rich(**fields):
    return {"type": "rich-caption", "src": "https://e.com/a.vtt", **fields}


def shown(raster) -> list[tuple[int, bool]]:
    """Return for how many frames each picture is shown, and whether it shows anything."""
    return [(frame.frames, load(frame.path).getbbox() is not None) for frame in raster.pictures]


def test_srt_is_read() -> None:
    cues = parse_cues(SRT)

    assert [(cue.start_s, cue.end_s, cue.text) for cue in cues] == [
        (0.2, 1.0, "First line"),
        (2.0, 3.0, "Second & more\nover two lines"),
    ]


def test_webvtt_is_read_with_its_words() -> None:
    first, second = parse_cues(VTT)

    assert (first.text, first.start_s, first.end_s) == ("One two three", 0.0, 2.0)
    assert [(word.start_s, word.text.strip()) for word in first.words] == [(0.0, "One"), (0.4, "two"), (1.2, "three")]
    assert (second.text, second.start_s) == ("Late", 3723.5)
    assert second.words == ()


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_ends_do_not_matter(ending) -> None:
    assert parse_cues(SRT.replace("\n", ending)) == parse_cues(SRT)


def test_cues_without_blank_lines_between_them_are_separated() -> None:
    text = "1\n00:00:00,000 --> 00:00:01,000\nOne\n2\n00:00:01,000 --> 00:00:02,000\nTwo\n"

    assert [cue.text for cue in parse_cues(text)] == ["One", "Two"]


def test_cues_that_end_before_they_start_are_skipped() -> None:
    assert parse_cues("00:00:02,000 --> 00:00:01,000\nNever\n") == ()


def test_byte_order_mark_and_bad_bytes_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(b"\xef\xbb\xbf1\r\n00:00:00,000 --> 00:00:01,000\r\ncaf\xe9\r\n")

    assert read_subtitles(path).cues[0].text == "caf\ufffd"


def test_cues_are_shown_at_their_frames_and_fill_the_clip(tmp_path: Path) -> None:
    raster = draw(caption(), tmp_path, frames=100, media=subtitle_media(tmp_path / "a.srt", SRT))

    assert shown(raster) == [(5, False), (20, True), (25, False), (25, True), (25, False)]
    assert (raster.width, raster.height) == (320, 180)


def test_cues_are_cut_at_the_clips_end(tmp_path: Path) -> None:
    raster = draw(caption(), tmp_path, frames=60, media=subtitle_media(tmp_path / "a.srt", SRT))

    assert shown(raster) == [(5, False), (20, True), (25, False), (10, True)]


def test_trim_and_speed_move_the_cues(tmp_path: Path) -> None:
    media = subtitle_media(tmp_path / "a.srt", SRT)

    trimmed = draw(caption(), tmp_path, frames=50, media=media, trim_s=1.0)
    faster = draw(caption(), tmp_path, frames=50, media=media, speed=2.0)

    assert shown(trimmed) == [(25, False), (25, True)]
    assert [frames for frames, _ in shown(faster)] == [3, 10, 12, 13, 12]


def test_overlapping_cues_are_shown_together(tmp_path: Path) -> None:
    text = "00:00:00,000 --> 00:00:02,000\nOne\n\n00:00:01,000 --> 00:00:03,000\nTwo\n"

    raster = draw(caption(), tmp_path, frames=75, media=subtitle_media(tmp_path / "a.srt", text))

    assert [frames for frames, _ in shown(raster)] == [25, 25, 25]
    heights = [visible_box(load(frame.path))[3] - visible_box(load(frame.path))[1] for frame in raster.pictures]
    assert heights[1] > 1.5 * max(heights[0], heights[2])


def test_captions_are_at_the_bottom_with_their_background(tmp_path: Path) -> None:
    asset = caption(background={"color": "#ff0000", "padding": 10}, font={"color": "#ffffff", "size": 20})

    raster = draw(asset, tmp_path, frames=25, media=subtitle_media(tmp_path / "a.srt", SRT), trim_s=0.2)

    image = load(raster.pictures[0].path)
    box = visible_box(image)
    assert box[1] > 90
    assert abs((box[0] + box[2]) / 2 - 160) <= 1
    assert image.getpixel((box[0] + 2, box[1] + 2)) == (255, 0, 0, 255)
    assert (255, 255, 255) in colors(image)
    assert box[2] - box[0] < 200


def test_margin_moves_captions(tmp_path: Path) -> None:
    media = subtitle_media(tmp_path / "a.srt", SRT)

    top = draw(caption(margin={"top": 0.1}), tmp_path, frames=10, media=media, trim_s=0.2)
    high = draw(caption(margin={"bottom": 0.5}), tmp_path, frames=10, media=media, trim_s=0.2)

    assert visible_box(load(top.pictures[0].path))[1] < 40
    assert 60 < visible_box(load(high.pictures[0].path))[3] <= 90


def test_spoken_word_is_highlighted_while_it_lasts(tmp_path: Path) -> None:
    asset = rich(font={"color": "#ffffff", "size": 24}, active={"font": {"color": "#ff0000"}})

    raster = draw(asset, tmp_path, frames=50, media=subtitle_media(tmp_path / "a.vtt", VTT))

    assert [frame.frames for frame in raster.pictures] == [10, 20, 20]
    lefts = []
    for frame in raster.pictures:
        image = load(frame.path)
        assert {(255, 0, 0), (255, 255, 255)} <= colors(image)
        red = [x for x in range(320) for y in range(90, 180) if image.getpixel((x, y)) == (255, 0, 0, 255)]
        lefts.append(min(red))
    assert lefts == sorted(set(lefts))


def test_cues_without_word_times_are_drawn_whole_with_a_warning(tmp_path: Path) -> None:
    asset = rich(active={"font": {"color": "#ff0000"}})

    raster = draw(asset, tmp_path, frames=25, media=subtitle_media(tmp_path / "a.srt", SRT))

    assert [(issue.pointer, issue.code) for issue in raster.warnings] == [
        ("/timeline/tracks/0/clips/0/asset/src", "no_word_times")
    ]
    assert (255, 0, 0) not in {color for frame in raster.pictures for color in colors(load(frame.path))}


def test_rich_captions_use_their_box(tmp_path: Path) -> None:
    asset = rich(width=200, height=60, align={"horizontal": "left", "vertical": "top"}, font={"size": 20})

    raster = draw(asset, tmp_path, frames=25, media=subtitle_media(tmp_path / "a.srt", SRT), trim_s=0.2)

    assert (raster.width, raster.height) == (200, 60)
    box = visible_box(load(raster.pictures[0].path))
    assert box[0] < 10
    assert box[1] < 20


@pytest.mark.parametrize("text", ["", "WEBVTT\n\n", "just words"])
def test_file_without_cues_is_refused_with_the_pointer(tmp_path: Path, text) -> None:
    with pytest.raises(DrawingFailed, match="no cue") as caught:
        draw(caption(), tmp_path, media=subtitle_media(tmp_path / "a.srt", text))

    assert caught.value.pointer == "/timeline/tracks/0/clips/0"


def test_markup_in_cues_is_not_interpreted(tmp_path: Path) -> None:
    text = "00:00:00,000 --> 00:00:02,000\n&lt;div style='background:red;width:99px;height:99px'&gt;&lt;/div&gt;\n"

    raster = draw(
        caption(font={"color": "#ffffff", "size": 8}), tmp_path, media=subtitle_media(tmp_path / "a.srt", text)
    )

    assert (255, 0, 0) not in colors(load(raster.pictures[0].path))
