"""Encodings of subtitle files: certain by mark, declaration or validity, else guessed."""

# ruff: noqa: RUF001 - texts in many alphabets

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from engine.probe.client import probe_file
from engine.subtitles import read_subtitles

SPOKEN = {
    "cp1252": ["Café naïve £5 “quoted”", "C’est l’été – déjà !", "Grüße aus München", "¿Dónde está el niño?"],
    "cp1250": ["Zażółć gęślą jaźń", "Příliš žluťoučký kůň", "Árvíztűrő tükörfúrógép"],
    "cp1251": ["Привет, как дела?", "Привіт, як справи?", "Это хороший день"],
    "cp1253": ["Καλημέρα σας, τι κάνετε;"],
    "cp1254": ["Günaydın, nasılsınız? Şimdi gidiyoruz"],
    "cp1255": ["שלום לכולם, מה שלומך היום?"],
    "cp1256": ["مرحبا بكم، كيف حالك اليوم؟"],
    "koi8-r": ["Привет, как дела? Это хороший день"],
    "cp932": ["こんにちは、元気ですか？"],
    "euc-jp": ["こんにちは、元気ですか？"],
    "gb18030": ["你好，你今天怎么样？"],
    "big5": ["你好，你今天怎麼樣？"],
    "cp949": ["안녕하세요, 잘 지내세요?"],
}


def srt(*lines: str) -> str:
    return "".join(f"{n}\r\n00:00:0{n},000 --> 00:00:0{n},900\r\n{line}\r\n\r\n" for n, line in enumerate(lines, 1))


def read(tmp_path: Path, data: bytes) -> tuple[list[str], str | None]:
    """Return the texts of a file, and the encoding that was guessed."""
    path = tmp_path / "a.srt"
    path.write_bytes(data)
    found = read_subtitles(path)
    return [cue.text for cue in found.cues], found.guessed_encoding


@pytest.mark.parametrize(("encoding", "line"), [(name, line) for name, lines in SPOKEN.items() for line in lines])
def test_a_single_line_in_a_national_encoding_is_read(tmp_path, encoding, line):
    texts, guessed = read(tmp_path, srt(line).encode(encoding))

    assert texts == [line]
    assert guessed is not None


def test_french_is_not_taken_for_cyrillic(tmp_path):
    lines = ["Ça va très bien, merci à tous.", "Où est le garçon ?", "J'espère être là dès demain."]

    assert read(tmp_path, srt(*lines).encode("cp1252")) == (lines, "Windows-1252")


def test_cyrillic_with_some_mixed_words_stays_cyrillic(tmp_path):
    lines = ["Привет, как дела?", "Мой iPhoneчик и VIPы", "Это очень хороший день", "Мы встретимся завтра"]

    assert read(tmp_path, srt(*lines).encode("cp1251")) == (lines, "Windows-1251")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_is_certain_and_not_shown(tmp_path, mark, encoding):
    path = tmp_path / "a.srt"
    path.write_bytes(mark + srt("Café 你好", "Привет").encode(encoding))

    info = probe_file(path)

    assert (info.content_type, info.guessed_encoding) == ("application/x-subrip", None)
    assert read(tmp_path, path.read_bytes()) == (["Café 你好", "Привет"], None)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised(tmp_path, encoding):
    path = tmp_path / "a.vtt"
    path.write_bytes(f"WEBVTT\n\n{srt('你好，世界', 'Café')}".encode(encoding))

    info = probe_file(path)

    assert (info.content_type, info.guessed_encoding) == ("text/vtt", encoding.upper())
    assert read(tmp_path, path.read_bytes())[0] == ["你好，世界", "Café"]


@pytest.mark.parametrize("text", ["plain", "Café – 你好"])
def test_utf_8_is_no_guess(tmp_path, text):
    assert read(tmp_path, srt(text).encode()) == ([text], None)


def test_utf_8_with_a_damaged_byte_stays_utf_8(tmp_path):
    data = srt("Öl für Österreich", "Grüße aus Köln").encode().replace(b"Gr", b"\xffGr")

    assert read(tmp_path, data) == (["Öl für Österreich", "\ufffdGrüße aus Köln"], "UTF-8")


def test_a_declared_encoding_is_no_guess(tmp_path):
    text = (
        '<?xml version="1.0" encoding="iso-8859-2"?><tt xmlns="http://www.w3.org/ns/ttml"><body><div>'
        '<p begin="1s" end="2s">Zażółć</p></div></body></tt>'
    )

    assert read(tmp_path, text.encode("iso-8859-2")) == (["Zażółć"], None)


@pytest.mark.parametrize("name", ["idna", "rot13", "nonsense", "utf-8", "utf-16"])
def test_an_unusable_declaration_does_not_break_the_file(tmp_path, name):
    text = (
        f'<?xml version="1.0" encoding="{name}"?><tt xmlns="http://www.w3.org/ns/ttml"><body><div>'
        '<p begin="1s" end="2s">Déjà vu à Paris</p></div></body></tt>'
    )

    assert read(tmp_path, text.encode("cp1252"))[0] == ["Déjà vu à Paris"]
