"""Font registry: finds the font for a name: one that the edit loads, a bundled one, or a substitute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from engine.media import MediaInfo
from engine.raster.fonts.bundled import DEFAULT_FAMILY, EQUIVALENTS, FAMILIES, SUBSTITUTES
from engine.raster.fonts.files import FontFile, read_font, upright_files
from engine.raster.fonts.names import SplitName, name_key, split_name

_BUNDLED = {name_key(family): family for family in FAMILIES}
_EQUIVALENTS = {name_key(name): family for name, family in EQUIVALENTS.items()}
_SUBSTITUTES = {name_key(name): family for name, family in SUBSTITUTES.items()}
_NEAR_WEIGHT = 100


@dataclass(frozen=True, slots=True)
class FontChoice:
    """The font for a name.

    family: the name to use in CSS. weight: set by the name itself; None leaves it to the text's own weight.
    italic: set by the name. files: font files for `@font-face` rules, by their name in `font:` URLs.
    is_substitute: the name was not found, `family` is drawn in its place.
    """

    family: str
    weight: int | None = None
    italic: bool = False
    files: tuple[tuple[str, FontFile], ...] = ()
    is_substitute: bool = False


class FontRegistry:
    """The fonts available to one edit."""

    def __init__(self, fonts: Mapping[str, MediaInfo] | None = None) -> None:
        """fonts: source URL -> local file, as `Timeline.fonts` has them."""
        self._loaded: list[tuple[str, FontFile]] = []
        self._by_name: dict[str, tuple[str, FontFile]] = {}
        for number, (url, media) in enumerate((fonts or {}).items()):
            described = read_font(media.path)
            if described is None:
                continue
            entry = (f"f{number}", described)
            self._loaded.append(entry)
            for name in (*described.names, *_stems(url, media.path)):
                self._by_name.setdefault(name_key(name), entry)
        self._choices: dict[str, FontChoice] = {}

    def choose(self, name: str) -> FontChoice:
        """Return the font for a family name; there is always one."""
        wanted = name.strip().strip("\"'").strip()
        key = name_key(wanted)
        if key not in self._choices:
            self._choices[key] = self._find(wanted, key)
        return self._choices[key]

    def slanted(self, choice: FontChoice) -> FontChoice:
        """Return the choice to draw in italics: that of a bundled family without an italic face names its files.

        The HTML engine slants only upright faces that it is given as files.
        """
        files = () if choice.files else upright_files(choice.family)
        return replace(choice, family=f"slanted {choice.family}", files=files) if files else choice

    def _find(self, wanted: str, key: str) -> FontChoice:
        """Look a name up among the edit's fonts, then the bundled ones, then the substitutes."""
        if not key:
            return FontChoice(DEFAULT_FAMILY)
        split = split_name(wanted)
        own = self._own(key, split)
        if own is not None:
            return own
        known = _known(key) or _known(name_key(split.family))
        if known is not None:
            exact = _known(key) is not None
            return FontChoice(known, None if exact else split.weight, not exact and split.italic)
        if len(self._loaded) == 1:
            # With one font loaded and a name that matches nothing, the edit can only mean that font.
            return _own_choice(self._loaded, is_substitute=True)
        family = _SUBSTITUTES.get(key) or _SUBSTITUTES.get(name_key(split.family)) or DEFAULT_FAMILY
        return FontChoice(family, split.weight, split.italic, is_substitute=True)

    def _own(self, key: str, split: SplitName) -> FontChoice | None:
        """Return the edit's own font of that name: by family first, then by full name, PostScript name or file name."""
        whole = self._family(key)
        if whole:
            return _own_choice(whole)
        if key in self._by_name:
            return _own_choice([self._by_name[key]])
        group = self._family(name_key(split.family))
        if not group:
            return None
        near = any(_can_weigh(font, split.weight or 400) for _, font in group)
        if near or _known(name_key(split.family)) is None:
            return _own_choice(group, weight=split.weight, italic=split.italic)
        return None

    def _family(self, key: str) -> list[tuple[str, FontFile]]:
        return [entry for entry in self._loaded if key in {name_key(name) for name in entry[1].families}]


def _own_choice(
    entries: list[tuple[str, FontFile]], *, weight: int | None = None, italic: bool = False, is_substitute: bool = False
) -> FontChoice:
    """Return a choice of the edit's own files, under a family name that no other font can have."""
    family = "edit " + " ".join(name for name, _ in entries)
    return FontChoice(family, weight, italic, tuple(entries), is_substitute)


def _known(key: str) -> str | None:
    return _BUNDLED.get(key) or _EQUIVALENTS.get(key)


def _can_weigh(font: FontFile, weight: int) -> bool:
    """Return whether a file can show a weight without distortion."""
    if font.weight_range is not None:
        return font.weight_range[0] <= weight <= font.weight_range[1]
    return abs(font.weight - weight) <= _NEAR_WEIGHT


def _stems(url: str, path: Path) -> tuple[str, ...]:
    """Return the file names without suffix by which an edit may call a loaded font."""
    return (PurePosixPath(unquote(urlsplit(url).path)).stem, path.stem)
