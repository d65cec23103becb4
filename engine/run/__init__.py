"""Run FFmpeg under limits and publish what it wrote."""

from engine.run.model import Limits, Progress, RunResult
from engine.run.process import run

__all__ = ["Limits", "Progress", "RunResult", "run"]
