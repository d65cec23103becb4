"""FFmpeg runs: limits, progress and result."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class FFmpegLimits:
    """Limits of one FFmpeg process. 2 GiB of address space is too little for large frames with many inputs.

    niceness: 0 to 19, see `engine.run.launcher`. wall_s: wall-clock time. stall_s: longest time without a new frame
    or sample. cpu_s: CPU time of all threads.
    """

    wall_s: float = 1800.0
    stall_s: float = 120.0
    cpu_s: int = 7200
    address_space_bytes: int = 4 * GIB
    file_size_bytes: int = 8 * GIB
    niceness: int = 5


@dataclass(frozen=True, slots=True)
class FFmpegProgress:
    """The progress of a run. speed: times real time; eta_s: None while unknown."""

    frame: int
    total_frames: int
    percent: float
    fps: float
    speed: float
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class FFmpegResult:
    """A finished run. frames: written to the main output. log: the end of FFmpeg's log."""

    frames: int
    wall_s: float
    log: str
