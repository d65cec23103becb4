"""Fonts: bundled ones, ones that an edit loads, and substitutes for the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from engine.raster.fonts import FontRegistry
from engine.raster.fonts.bundled import (
    DEFAULT_FAMILY,
    EQUIVALENTS,
    FALLBACKS,
    FAMILIES,
    PACKAGES,
    SUBSTITUTES,
    font_directories,
)
from engine.raster.fonts.files import read_font
from engine.raster.fonts.names import split_name
from tests.engine.raster_helpers import draw, font_media, make_timeline, picture, visible_box

ROOT = Path(__file__).resolve().parents[2]


def bundled_file(name: str) -> Path:
    return next(
        path for folder in font_directories() for path in sorted(folder.rglob("*.ttf")) if path.name.startswith(name)
    )


@pytest.fixture
def renamed(tmp_path: Path):
    """Return a function that writes a bundled font under other names."""

    def rename(source: str, file_name: str, family: str, full: str, postscript: str) -> Path:
        target = tmp_path / file_name
        with TTFont(bundled_file(source)) as font:
            for record in list(font["name"].names):
                if record.nameID in {1, 4, 6, 16, 17, 21, 22, 25}:
                    font["name"].removeNames(nameID=record.nameID)
            for number, text in ((1, family), (4, full), (6, postscript)):
                font["name"].setName(text, number, 3, 1, 0x409)
            font.save(target)
        return target

    return rename


def test_every_font_package_is_installed_and_every_family_is_in_one() -> None:
    assert len(font_directories()) == len(PACKAGES)
    found = set()
    for folder in font_directories():
        for path in [*folder.rglob("*.ttf"), *folder.rglob("*.otf")]:
            described = read_font(path)
            assert described is not None
            found.update(described.families)
    assert set(FAMILIES) <= found


def test_substitutes_are_bundled() -> None:
    assert {DEFAULT_FAMILY, *FALLBACKS, *EQUIVALENTS.values(), *SUBSTITUTES.values()} <= set(FAMILIES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Montserrat SemiBold", ("Montserrat", 600, False)),
        ("Montserrat Semi Bold Italic", ("Montserrat", 600, True)),
        ("OpenSans-ExtraBold", ("Open Sans", 800, False)),
        ("DM Sans 9pt", ("DM Sans", None, False)),
        ("Roboto", ("Roboto", None, False)),
        ("Manrope Light", ("Manrope", 300, False)),
        ("Black", ("Black", None, False)),
    ],
)
def test_names_are_split_into_family_and_style(name, expected) -> None:
    split = split_name(name)

    assert (split.family, split.weight, split.italic) == expected


@pytest.mark.parametrize(
    ("asked", "family", "weight"),
    [
        ("montserrat", "Montserrat", None),
        ("MONTSERRAT EXTRABOLD", "Montserrat", 800),
        ("OpenSans", "Open Sans", None),
        ("WorkSans", "Work Sans", None),
        ("'Arial'", "Arimo", None),
        ("Helvetica Neue", "Arimo", None),
        ("sans-serif", "Open Sans", None),
        ("monospace", "Roboto Mono", None),
        ("DM Sans 9pt", "DM Sans", None),
    ],
)
def test_bundled_families_are_found_in_any_spelling(asked, family, weight) -> None:
    choice = FontRegistry().choose(asked)

    assert (choice.family, choice.weight, choice.is_substitute) == (family, weight, False)


def test_unknown_family_falls_back_to_a_substitute() -> None:
    assert FontRegistry().choose("No Such Font").family == DEFAULT_FAMILY
    assert FontRegistry().choose("No Such Font").is_substitute
    assert FontRegistry().choose("Georgia Bold").weight == 700


def test_missing_family_is_a_warning_with_its_pointer(tmp_path: Path) -> None:
    asset = {"type": "text", "text": "x", "font": {"family": "No Such Font"}}

    warnings = draw(asset, tmp_path).warnings

    assert [(issue.pointer, issue.code) for issue in warnings] == [
        ("/timeline/tracks/0/clips/0/asset/font/family", "font_substituted")
    ]
    assert "No Such Font" in warnings[0].detail


@pytest.mark.parametrize("asked", ["Curly Display", "curly display", "Curly Display Fat", "CurlyPS-Fat", "abc_DEF-123"])
def test_loaded_font_is_found_by_each_of_its_names(renamed, tmp_path: Path, asked) -> None:
    path = renamed("Anton", "cache-entry.ttf", "Curly Display", "Curly Display Fat", "CurlyPS-Fat")
    fonts = {"https://fonts.example.com/x/abc_DEF-123.ttf?v=2": font_media(path)}
    asset = {"type": "text", "text": "Hamburg", "width": 300, "height": 100, "font": {"family": asked, "size": 50}}

    image = picture(asset, tmp_path / "out", make_timeline(fonts=fonts))
    anton = picture({**asset, "font": {"family": "Anton", "size": 50}}, tmp_path / "out")

    assert image.tobytes() == anton.tobytes()


def test_loaded_font_wins_over_the_bundled_one_of_that_name(renamed, tmp_path: Path) -> None:
    path = renamed("Anton", "m.ttf", "Montserrat", "Montserrat", "Montserrat")
    asset = {
        "type": "text",
        "text": "Hamburg",
        "width": 300,
        "height": 100,
        "font": {"family": "Montserrat", "size": 50},
    }

    own = picture(asset, tmp_path / "out", make_timeline(fonts={"https://e.com/m.ttf": font_media(path)}))

    bundled = picture(asset, tmp_path / "out")
    assert visible_box(own)[2] - visible_box(own)[0] < visible_box(bundled)[2] - visible_box(bundled)[0]


def test_weight_that_the_loaded_font_lacks_comes_from_the_bundled_family(renamed) -> None:
    regular = renamed("Amatic", "m.ttf", "Montserrat", "Montserrat Regular", "Montserrat-Regular")
    registry = FontRegistry({"https://e.com/m.ttf": font_media(regular)})

    assert registry.choose("Montserrat").files
    assert not registry.choose("Montserrat Black").files
    assert registry.choose("Montserrat Black").weight == 900


def test_weight_axis_of_a_loaded_variable_font_is_used(renamed, tmp_path: Path) -> None:
    path = renamed("Montserrat[", "v.ttf", "Wobbly", "Wobbly Regular", "Wobbly-Regular")
    timeline = make_timeline(fonts={"https://e.com/v.ttf": font_media(path)})

    def coverage(**font) -> int:
        asset = {"type": "text", "text": "HHHH", "width": 300, "height": 100, "font": {"size": 50, **font}}
        return sum(picture(asset, tmp_path / "out", timeline).getchannel("A").tobytes())

    assert coverage(family="Wobbly", weight=100) * 2 < coverage(family="Wobbly", weight=900)
    assert coverage(family="Wobbly Black") == coverage(family="Wobbly", weight=900)


def test_only_loaded_font_replaces_an_unknown_name(renamed) -> None:
    path = renamed("Anton", "one.ttf", "Curly", "Curly", "Curly")

    choice = FontRegistry({"https://e.com/one.ttf": font_media(path)}).choose("Quite Another")

    assert choice.files
    assert choice.is_substitute


def test_damaged_font_file_is_skipped(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"\x00\x01\x00\x00" + b"\xff" * 200)

    choice = FontRegistry({"https://e.com/broken.ttf": font_media(broken)}).choose("broken")

    assert choice.family == DEFAULT_FAMILY
    assert choice.is_substitute


@pytest.mark.acceptance
def test_text_is_drawn_on_a_machine_without_fonts(tmp_path: Path) -> None:
    empty = tmp_path / "fonts.conf"
    empty.write_text('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig/>')
    script = """
import json, sys
from pathlib import Path
from tests.engine.raster_helpers import picture
out = Path(sys.argv[1])
sizes = {}
for words in ("HHH", "iii", "\\u65e5\\u672c", "\\U0001f525"):
    image = picture({"type": "text", "text": words, "width": 200, "height": 80, "font": {"size": 40}}, out)
    sizes[words] = [image.getbbox(), sum(image.getchannel("A").tobytes())]
print(json.dumps(sizes))
"""
    environment = {**os.environ, "FONTCONFIG_FILE": str(empty), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    drawn = json.loads(done.stdout)
    assert all(box is not None and coverage > 10_000 for box, coverage in drawn.values())
    assert drawn["HHH"][0][2] - drawn["HHH"][0][0] > 1.5 * (drawn["iii"][0][2] - drawn["iii"][0][0])
    assert len({coverage for _, coverage in drawn.values()}) == 4
