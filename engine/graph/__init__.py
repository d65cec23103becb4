"""From a plan to the words of an FFmpeg command."""

from engine.graph.compile import Command, Paths, SequenceFile, compile_plan
from engine.graph.join import compile_join, part_list

__all__ = ["Command", "Paths", "SequenceFile", "compile_join", "compile_plan", "part_list"]
