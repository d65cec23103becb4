"""Run FFmpeg under limits and publish what it wrote."""

from engine.run.model import FFmpegLimits, FFmpegProgress, FFmpegResult
from engine.run.process import run

__all__ = ["FFmpegLimits", "FFmpegProgress", "FFmpegResult", "run"]
