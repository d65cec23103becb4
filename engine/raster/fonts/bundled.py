"""The open-licence font families that come with the product, and what stands in for well-known others.

The files come from Python packages, so that text comes out on a machine without any installed font.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

# Import names of the packages that carry the font files. They are located, never imported.
PACKAGES = (
    "fontpkg_montserrat",
    "fontpkg_open_sans",
    "fontpkg_work_sans",
    "fontpkg_arimo",
    "fontpkg_noto_sans",
    "fontpkg_anton",
    "fontpkg_manrope",
    "fontpkg_playfair_display",
    "fontpkg_caveat",
    "font_lato",
    "font_amatic_sc",
    "font_source_serif_pro",
    "deckr_fonts",
    "justmytype_intl_rtl",
    "justmytype_intl_cjk",
)

# Family names as the files have them.
FAMILIES = (
    "Amatic SC",
    "Anton",
    "Arimo",
    "Audiowide",
    "Caveat",
    "DM Sans",
    "Inter",
    "Lato",
    "Manrope",
    "Montserrat",
    "Noto Color Emoji",
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans JP",
    "Noto Sans KR",
    "Noto Sans SC",
    "Noto Sans TC",
    "Open Sans",
    "Playfair Display",
    "Roboto",
    "Roboto Mono",
    "Source Serif Pro",
    "Work Sans",
)

DEFAULT_FAMILY = "Open Sans"

# Tried in this order for characters that the chosen family lacks.
FALLBACKS = (
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans JP",
    "Noto Sans SC",
    "Noto Sans KR",
    "Noto Sans TC",
    "Noto Color Emoji",
)

# Other names of a bundled family, or of a design with the same metrics: no warning is due.
EQUIVALENTS = {
    "sans-serif": "Open Sans",
    "serif": "Source Serif Pro",
    "monospace": "Roboto Mono",
    "cursive": "Caveat",
    "fantasy": "Anton",
    "system-ui": "Roboto",
    "-apple-system": "Roboto",
    "BlinkMacSystemFont": "Roboto",
    "Segoe UI": "Roboto",
    "ui-sans-serif": "Roboto",
    "ui-serif": "Source Serif Pro",
    "ui-monospace": "Roboto Mono",
    "Arial": "Arimo",
    "Helvetica": "Arimo",
    "Helvetica Neue": "Arimo",
    "Liberation Sans": "Arimo",
    "Source Serif": "Source Serif Pro",
    "Source Serif 4": "Source Serif Pro",
    "emoji": "Noto Color Emoji",
    "Apple Color Emoji": "Noto Color Emoji",
    "Segoe UI Emoji": "Noto Color Emoji",
}

# Families that are often asked for but not bundled -> the nearest in character. A warning says so.
SUBSTITUTES = {
    "Georgia": "Source Serif Pro",
    "Times": "Source Serif Pro",
    "Times New Roman": "Source Serif Pro",
    "Merriweather": "Source Serif Pro",
    "Lora": "Source Serif Pro",
    "PT Serif": "Source Serif Pro",
    "Noto Serif": "Source Serif Pro",
    "Arapey": "Playfair Display",
    "Bodoni Moda": "Playfair Display",
    "Didot": "Playfair Display",
    "Courier": "Roboto Mono",
    "Courier New": "Roboto Mono",
    "Consolas": "Roboto Mono",
    "Menlo": "Roboto Mono",
    "Monaco": "Roboto Mono",
    "Impact": "Anton",
    "Bebas Neue": "Anton",
    "Oswald": "Anton",
    "League Gothic": "Anton",
    "Permanent Marker": "Caveat",
    "Indie Flower": "Caveat",
    "Pacifico": "Caveat",
    "Dancing Script": "Caveat",
    "Pinyon Script": "Caveat",
    "Great Vibes": "Caveat",
    "Comic Sans MS": "Caveat",
    "Sue Ellen Francisco": "Amatic SC",
    "Poppins": "Montserrat",
    "Raleway": "Montserrat",
    "Gotham": "Montserrat",
    "Uni Neue": "Montserrat",
    "Nunito": "Manrope",
    "Orbitron": "Audiowide",
    "MovLette": "Audiowide",
    "Verdana": "Open Sans",
    "Tahoma": "Open Sans",
    "Trebuchet MS": "Open Sans",
    "Clear Sans": "Open Sans",
    "Didact Gothic": "Work Sans",
}

# Doubles of other files, and faces that would only ever be picked by accident as a fallback.
_REJECTED = (
    "*/font_source_serif_pro/files/*.otf",
    "*/deckr_fonts/fonts/NotoEmoji*",
    "*/deckr_fonts/fonts/Monofett*",
    "*/deckr_fonts/fonts/Sixtyfour*",
)


@lru_cache(maxsize=1)
def font_directories() -> tuple[Path, ...]:
    """Return the folder of every installed font package; a package that is missing is left out."""
    found: list[Path] = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            found.append(Path(spec.submodule_search_locations[0]))
    return tuple(found)


def fontconfig_xml() -> str:
    """Return a Fontconfig configuration that knows the bundled fonts and nothing else of the machine."""
    folders = "".join(f"<dir>{escape(str(folder))}</dir>" for folder in font_directories())
    rejected = "".join(f"<glob>{escape(pattern)}</glob>" for pattern in _REJECTED)
    aliases = "".join(
        f'<match target="pattern"><test name="family"><string>{escape(name)}</string></test>'
        f'<edit name="family" mode="assign" binding="same"><string>{escape(family)}</string></edit></match>'
        for name, family in {**EQUIVALENTS, **SUBSTITUTES}.items()
    )
    last = "".join(f"<string>{escape(name)}</string>" for name in (DEFAULT_FAMILY, *FALLBACKS))
    return (
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig>'
        f"{folders}<selectfont><rejectfont>{rejected}</rejectfont></selectfont>{aliases}"
        f'<match target="pattern"><edit name="family" mode="append_last">{last}</edit></match></fontconfig>'
    )
