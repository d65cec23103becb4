"""Fonts: the bundled ones, those that an edit loads, and the choice among them by name."""

from engine.raster.fonts.registry import FontChoice, FontRegistry

__all__ = ["FontChoice", "FontRegistry"]
