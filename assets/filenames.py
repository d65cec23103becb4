"""Cleaning of file names given by clients."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

MAX_FILENAME_LENGTH = 255
_SPACES = re.compile(r"\s+")


def clean_filename(text: str, default: str = "file") -> str:
    """Return a client's file name as one line of text without folders or control characters."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    # Cc: control; Cf: bidirectional marks, which make gpj.exe read as exe.jpg; Cs: surrogates.
    shown = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in last)
    name = _SPACES.sub(" ", shown).strip(" .")
    return _shorten(name) or default


def filename_from_url(url: str) -> str:
    """Return the last part of the path of a URL as a file name."""
    return clean_filename(PurePosixPath(unquote(urlsplit(url).path)).name)


def _shorten(name: str) -> str:
    if len(name) <= MAX_FILENAME_LENGTH:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        return name[:MAX_FILENAME_LENGTH]
    return f"{stem[: MAX_FILENAME_LENGTH - len(ending) - 1]}.{ending}"
