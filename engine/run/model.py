"""What a run is allowed, what it reports and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class FFmpegLimits:
    """Bounds of one FFmpeg process. 2 GiB of address space is too little for large pictures with many inputs.

    niceness: 0 to 19, how far to step back behind everything else on the machine; see `engine.run.launcher`.
    wall_s: wall clock. stall_s: longest time without a new frame or sample. cpu_s: processor time, all threads.
    """

    wall_s: float = 1800.0
    stall_s: float = 120.0
    cpu_s: int = 7200
    address_space_bytes: int = 4 * GIB
    file_size_bytes: int = 8 * GIB
    niceness: int = 5


@dataclass(frozen=True, slots=True)
class FFmpegProgress:
    """How far a run has come. speed: times real time; eta_s: None until it can be told."""

    frame: int
    total_frames: int
    percent: float
    fps: float
    speed: float
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class FFmpegResult:
    """A finished run. frames: written to the main output. log: the tail of what FFmpeg said."""

    frames: int
    wall_s: float
    log: str
