"""FFmpeg command builder: compiles a plan into a filter graph and its arguments."""

from engine.graph.compile import FFmpegCommand, RenderPaths, SequenceFile, compile_plan
from engine.graph.concat import compile_concat, concat_list

__all__ = ["FFmpegCommand", "RenderPaths", "SequenceFile", "compile_concat", "compile_plan", "concat_list"]
