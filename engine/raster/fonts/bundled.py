"""The bundled open-licence font families, and their use in place of well-known others.

The files come from Python packages, so text can be drawn on a machine without installed fonts.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

# Import names of the packages with the font files. They are located, never imported.
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

# Family names as in the files.
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

# Tried in this order for characters missing in the chosen family.
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

# Other names of a bundled family, or families with the same metrics: used without a warning.
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

# Families that are often used but not bundled -> the most similar one. A warning says so.
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

# Duplicates of other files, and faces that would only be chosen as a fallback by accident.
_REJECTED = (
    "*/font_source_serif_pro/files/*.otf",
    "*/deckr_fonts/fonts/NotoEmoji*",
    "*/deckr_fonts/fonts/Monofett*",
    "*/deckr_fonts/fonts/Sixtyfour*",
)


@lru_cache(maxsize=1)
def font_directories() -> tuple[Path, ...]:
    """Return the folder of every installed font package; missing packages are skipped."""
    found: list[Path] = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            found.append(Path(spec.submodule_search_locations[0]))
    return tuple(found)


def fontconfig_xml() -> str:
    """Return a Fontconfig configuration with the bundled fonts and none of the machine's own."""
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
