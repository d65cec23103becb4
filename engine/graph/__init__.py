"""From a plan to an FFmpeg command."""

from engine.graph.compile import FFmpegCommand, RenderPaths, SequenceFile, compile_plan
from engine.graph.concat import compile_concat, concat_list

__all__ = ["FFmpegCommand", "RenderPaths", "SequenceFile", "compile_concat", "compile_plan", "concat_list"]
