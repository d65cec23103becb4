"""From a plan to the words of one FFmpeg command."""

from engine.graph.compile import Command, Paths, SequenceFile, compile_plan

__all__ = ["Command", "Paths", "SequenceFile", "compile_plan"]
