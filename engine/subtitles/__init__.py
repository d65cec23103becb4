"""Subtitle files: SRT, WebVTT, SSA/ASS and TTML as timed cues."""

from engine.subtitles.cues import Cue, TimedWord
from engine.subtitles.read import Subtitles, parse_cues, read_subtitles, subtitle_format

__all__ = ["Cue", "Subtitles", "TimedWord", "parse_cues", "read_subtitles", "subtitle_format"]
