"""FFmpeg runner: runs FFmpeg under limits and publishes its output."""

from engine.run.model import FFmpegLimits, FFmpegProgress, FFmpegResult
from engine.run.process import run

__all__ = ["FFmpegLimits", "FFmpegProgress", "FFmpegResult", "run"]
