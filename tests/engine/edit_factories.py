"""Small edits for the tests of the language and the timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import EditInvalid
from engine.language import Edit, ParsedEdit, parse_edit
from engine.media import MediaInfo, MediaKind


def title(**clip: Any) -> dict[str, Any]:
    """Return a clip with a title; keywords are fields of the clip."""
    return {"asset": {"type": "title", "text": "Hi"}, "start": 0, "length": 2, **clip}


def asset(kind: str, src: str = "https://example.com/a", **fields: Any) -> dict[str, Any]:
    """Return an asset with a source."""
    return {"type": kind, "src": src, **fields}


def edit_of(*clips: dict[str, Any], tracks: list[list[dict[str, Any]]] | None = None, **parts: Any) -> dict[str, Any]:
    """Return an edit with the clips on one track, or with several tracks.

    parts: `timeline` and `output` are merged into the defaults, all others are set at the top level.
    """
    timeline = {"tracks": [{"clips": track} for track in (tracks or [list(clips)])], **parts.pop("timeline", {})}
    output = {"format": "mp4", "resolution": "sd", **parts.pop("output", {})}
    return {"timeline": timeline, "output": {k: v for k, v in output.items() if v is not None}, **parts}


def parsed(data: Any, **options: Any) -> Edit:
    """Return the edit parsed from valid JSON."""
    return parse_edit(data, **options).edit


def warned(result: ParsedEdit) -> list[tuple[str, str]]:
    """Return the pointers and codes of the warnings."""
    return [(issue.pointer, issue.code) for issue in result.warnings]


def refused(data: Any, **options: Any) -> list[tuple[str, str]]:
    """Return the pointers and codes of the errors of an edit that must be refused."""
    try:
        parse_edit(data, **options)
    except EditInvalid as error:
        return [(issue.pointer, issue.code) for issue in error.issues]
    raise AssertionError("the edit was accepted")


def video(duration_s: float = 8.0, **fields: Any) -> MediaInfo:
    """Return a probed video."""
    known = {"width": 640, "height": 360, "fps": 25.0, "video_codec": "h264", "audio_codec": "aac", **fields}
    return MediaInfo(Path("/v.mp4"), MediaKind.VIDEO, "video/mp4", 1, "mov", duration_s=duration_s, **known)


def picture(**fields: Any) -> MediaInfo:
    """Return a probed still image."""
    known = {"width": 640, "height": 360, "video_codec": "png", **fields}
    return MediaInfo(Path("/i.png"), MediaKind.IMAGE, "image/png", 1, "png_pipe", **known)


def sound(duration_s: float = 8.0) -> MediaInfo:
    """Return a probed audio file."""
    return MediaInfo(Path("/a.mp3"), MediaKind.AUDIO, "audio/mpeg", 1, "mp3", duration_s=duration_s, audio_codec="mp3")


# One asset of each type, with its type in the parsed edit.
ASSETS = [
    ({"type": "video", "src": "https://e.com/v.mp4", "trim": 2, "volume": 0.5, "speed": 2}, "video"),
    ({"type": "image", "src": "asset:ast_0123456789"}, "image"),
    ({"type": "audio", "src": "http://e.com/a.mp3", "effect": "fadeOut"}, "audio"),
    ({"type": "luma", "src": "https://e.com/l.png"}, "luma"),
    ({"type": "title", "text": "T", "style": "chunkLight", "size": "xx-large"}, "title"),
    ({"type": "text", "text": "T", "font": {"family": "Lato", "size": 40, "lineHeight": 1}, "width": 100}, "text"),
    ({"type": "rich-text", "text": "T", "font": {"weight": "bold"}, "padding": 4}, "rich-text"),
    ({"type": "caption", "src": "https://e.com/c.srt", "margin": {"top": 0.5}}, "caption"),
    ({"type": "rich-caption", "src": "https://e.com/c.vtt", "active": {"stroke": "none"}}, "rich-caption"),
    ({"type": "html", "html": "<p>x</p>", "css": "p{}", "width": 10, "height": 10, "position": "top-left"}, "html"),
    ({"type": "html5", "html": "<p>x</p>"}, "html5"),
    ({"type": "shape", "shape": "circle", "circle": {"radius": 5}, "fill": {"color": "#ff0000"}}, "shape"),
    ({"type": "svg", "src": "<svg xmlns='http://www.w3.org/2000/svg'/>"}, "svg"),
    ({"type": "svg", "shape": {"type": "star", "points": 5, "outerRadius": 9, "innerRadius": 4}}, "svg"),
]
