"""Fonts: what is bundled, what an edit loads, and which of them a name means."""

from engine.raster.fonts.book import FontBook, FontChoice

__all__ = ["FontBook", "FontChoice"]
