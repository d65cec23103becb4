"""Markup of SRT and WebVTT: only the tags of the formats are tags."""

from __future__ import annotations

import pytest

from engine.subtitles import parse_cues


def text_of(body: str) -> str:
    (cue,) = parse_cues(f"1\n00:00:00,000 --> 00:00:02,000\n{body}\n")
    return cue.text


@pytest.mark.parametrize(
    "body",
    [
        "a < b and c > d",
        "I <3 you",
        "x<y and y>z",
        "<b and c> d",
        "Press <Enter> to go on",
        "<html> is a tag, <bold> is none",
        "{name} said {hello}",
        r"{\pi} and {\theta}",
        "{ \\ }",
        "{\\",
        "<",
        "-> or <-",
        "AT&T, Q&A, R&amp",
        "salt &not pepper",
    ],
)
def test_other_brackets_are_text(body):
    assert text_of(body) == body


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<i>One</i> <B>two</B> <u>three</u> <s>four</s>", "One two three four"),
        ('<font color="#ff0000" size=12>Red</font>', "Red"),
        ("<v Mary Jane>Hello</v>", "Hello"),
        ("<v.loud Mary>Hello", "Hello"),
        ("<c.yellow.bg_blue>Hello</c>", "Hello"),
        ("<lang en-GB>Colour</lang>", "Colour"),
        ("<ruby>漢<rt>kan</rt></ruby>", "漢kan"),
        (r"{\an8}Above {\i1}slanted{\i0}", "Above slanted"),
        (r"{\fad(200,300)\pos(10,20)}Here{\c&H0000FF&}", "Here"),
        (r"{\t(0,100,\fs20)}Grows {\fnComic Sans MS}here", "Grows here"),
        ("One<br>two<br />three", "One\ntwo\nthree"),
        ("&lt;i&gt; &amp; &#233;&#xe9; &nbsp;x", "<i> & éé \xa0x"),
    ],
)
def test_tags_of_the_formats_are_dropped(body, shown):
    assert text_of(body) == shown


def test_blanks_between_timed_words_stay():
    (cue,) = parse_cues("WEBVTT\n\n00:00.000 --> 00:02.000\n<00:00.000>One<00:00.500> <00:01.000>two\n")

    assert cue.text == "One two"
    assert [(word.start_s, word.text) for word in cue.words] == [(0.0, "One "), (1.0, "two")]
