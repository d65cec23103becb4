"""Fonts: what is bundled, what an edit loads, and which of them a name means."""

from engine.raster.fonts.registry import FontChoice, FontRegistry

__all__ = ["FontChoice", "FontRegistry"]
