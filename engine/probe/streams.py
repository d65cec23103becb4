"""Video and audio stream probe. Runs in the probe process only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import av.container
import av.stream
from av.packet import Packet

from engine.errors import MediaUnreadable
from engine.probe.images import check_size
from engine.probe.sniff import FileType

AnyPacket: TypeAlias = "Packet[av.stream.Stream]"

WHOLE_READ_BYTES = 256 * 1024 * 1024
"""Files up to this size are read completely; larger ones only at the start and the end."""
MAX_PACKETS = 3_000_000
MAX_DURATION_S = 24 * 3600
MAX_SINGLE_FRAME_S = 600
MIN_FPS, MAX_FPS = 1.0, 240.0
DECODE_ATTEMPTS = 100
_TAIL_S = 5
_INDEXED = ("mov", "matroska")


@dataclass(slots=True)
class TrackScan:
    """What was read of one stream. begin, end: seconds; frame: the first decoded frame."""

    stream: av.stream.Stream
    packets: int = 0
    begin: float | None = None
    end: float = 0.0
    attempts: int = 0
    frame: av.VideoFrame | av.AudioFrame | None = None

    def add_packet(self, packet: AnyPacket) -> None:
        """Count a packet and extend the stream's time range by it."""
        if packet.pts is None or packet.is_discard:
            return
        start = float(packet.pts * packet.time_base)
        self.packets += 1
        self.begin = start if self.begin is None else min(self.begin, start)
        self.end = max(self.end, start + float((packet.duration or 0) * packet.time_base))

    def decode(self, packet: AnyPacket) -> None:
        """Try to decode the first frame; a few packets before the first keyframe may fail."""
        if self.frame is not None or self.attempts >= DECODE_ATTEMPTS:
            return
        self.attempts += 1
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        self.frame = next((frame for frame in frames if isinstance(frame, av.VideoFrame | av.AudioFrame)), None)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """The streams of a container; the fields are those of `MediaInfo`."""

    duration_s: float
    audio_codec: str | None = None
    video_codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    frames: int | None = None
    rotation: int = 0
    has_alpha: bool = False
    video_decoder: str | None = None
    pixel_aspect: float = 1.0


@dataclass(slots=True)
class ContainerScan:
    """The result of reading a container's packets. whole: all of them. declared_s: the duration in its header."""

    video: TrackScan | None
    audio: TrackScan | None
    whole: bool
    declared_s: float | None
    tracks: list[TrackScan] = field(default_factory=list)

    @property
    def begin(self) -> float:
        """Return when the earliest stream begins, in seconds."""
        return min((track.begin for track in self.tracks if track.begin is not None), default=0.0)

    @property
    def end(self) -> float:
        """Return when the last stream ends, in seconds."""
        return max((track.end for track in self.tracks), default=0.0)


def probe_streams(path: Path, file_type: FileType) -> StreamInfo:
    """Open a file with its fixed demuxer, read its packets, and decode the first frame of each stream.

    Raises MediaUnreadable (`no_streams`, `damaged`, `truncated`, `bad_timing`, `too_many_pixels`).
    """
    options = {"protocol_whitelist": "file"}
    with av.open(str(path), format=file_type.demuxer, options=options, metadata_errors="replace") as container:
        scan = _scan(container, path.stat().st_size)
        _check_ends(scan, file_type)
        if scan.video is None:
            return _audio(scan)
        return _video(scan, file_type)


def _scan(container: av.container.InputContainer, size_bytes: int) -> ContainerScan:
    """Read the packets of the first video and the first audio stream."""
    videos = [stream for stream in container.streams.video if not _is_cover_art(stream)]
    video = TrackScan(videos[0]) if videos else None
    audio = TrackScan(container.streams.audio[0]) if container.streams.audio else None
    declared = container.duration / av.time_base if container.duration and container.duration > 0 else None
    tracks = [track for track in (video, audio) if track is not None]
    if any(track.stream.codec_context is None for track in tracks):
        raise MediaUnreadable("damaged", "The file has a stream whose codec is unknown.")
    scan = ContainerScan(video, audio, size_bytes <= WHOLE_READ_BYTES or declared is None, declared, tracks)
    if not tracks:
        raise MediaUnreadable("no_streams", "The file has neither video nor audio.")
    if videos:
        check_size(videos[0].codec_context.width or 1, videos[0].codec_context.height or 1)
        videos[0].codec_context.thread_count = 1
    _read(container, scan)
    if not scan.whole and declared is not None:
        container.seek(int(max(0.0, declared - _TAIL_S) * av.time_base))
        _read(container, scan, decode=False)
    return scan


def _read(container: av.container.InputContainer, scan: ContainerScan, *, decode: bool = True) -> None:
    """Read all packets, or of a large file only those until each stream has a decoded frame."""
    by_index = {track.stream.index: track for track in scan.tracks}
    for count, packet in enumerate(_packets(container, [track.stream for track in scan.tracks])):
        if count > MAX_PACKETS:
            raise MediaUnreadable("bad_timing", "The file has too many frames.")
        track = by_index.get(packet.stream_index)
        if track is None:
            # A damaged file can show another stream in the middle.
            continue
        track.add_packet(packet)
        if decode:
            track.decode(packet)
            if not scan.whole and all(track.frame is not None for track in scan.tracks):
                return


def _packets(container: av.container.InputContainer, streams: list[av.stream.Stream]) -> Iterator[AnyPacket]:
    """Yield packets until the end or the first unreadable one."""
    try:
        yield from container.demux(streams)
    except av.InvalidDataError:
        return


def _is_cover_art(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _check_ends(scan: ContainerScan, file_type: FileType) -> None:
    """Refuse files that are shorter than declared, longer than a day, or without a decodable frame."""
    for track in scan.tracks:
        if track.frame is None:
            what = "video" if track is scan.video else "audio"
            raise MediaUnreadable("damaged", f"The {what} of the file cannot be decoded.")
    real = scan.end - scan.begin
    declared = scan.declared_s
    if declared is not None and file_type.demuxer in _INDEXED and declared > real + max(2.0, 0.1 * declared):
        detail = f"The file declares a duration of {declared:.1f} s, but holds {max(real, 0):.1f} s."
        raise MediaUnreadable("truncated", detail)
    if declared is not None and file_type.demuxer == "mov":
        begin = scan.begin
        for track in scan.tracks:  # an edit list may end before the last sample
            track.end = min(track.end, begin + declared)
    if scan.end - scan.begin > MAX_DURATION_S:
        raise MediaUnreadable("bad_timing", "The file lasts longer than a day.")


def _audio(scan: ContainerScan) -> StreamInfo:
    track = scan.audio
    if track is None:
        raise MediaUnreadable("no_streams", "The file has neither video nor audio.")
    length = track.end - (track.begin or 0.0)
    return StreamInfo(round(length, 6), audio_codec=track.stream.codec_context.codec.canonical_name)


def _video(scan: ContainerScan, file_type: FileType) -> StreamInfo:
    track = scan.video
    if track is None or not isinstance(track.frame, av.VideoFrame) or not isinstance(track.stream, av.VideoStream):
        raise MediaUnreadable("damaged", "The video of the file cannot be decoded.")
    frame, stream = track.frame, track.stream
    check_size(frame.width, frame.height)
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    if track.packets == 1 and track.end <= (track.begin or 0.0):
        track.end = (track.begin or 0.0) + float(1 / rate)
    own_s = track.end - (track.begin or 0.0)
    frames = track.packets if scan.whole else stream.frames or round(own_s * rate)
    fps = _checked_fps(frames, own_s, stream, lowest=0.02 if file_type.demuxer == "gif" else MIN_FPS)
    rotation = -int(frame.rotation) % 360
    width, height = frame.width, frame.height
    aspect = stream.codec_context.sample_aspect_ratio or stream.sample_aspect_ratio
    has_alpha, decoder = _alpha(stream, frame)
    return StreamInfo(
        duration_s=round(track.end - scan.begin, 6),
        audio_codec=scan.audio.stream.codec_context.codec.canonical_name if scan.audio is not None else None,
        video_codec=stream.codec_context.codec.canonical_name,
        width=height if rotation % 180 else width,
        height=width if rotation % 180 else height,
        fps=fps,
        frames=frames,
        rotation=rotation,
        has_alpha=has_alpha,
        video_decoder=decoder,
        pixel_aspect=float(aspect) if aspect else 1.0,
    )


def _checked_fps(frames: int, seconds: float, stream: av.VideoStream, *, lowest: float) -> float:
    """Return the average frame rate. Raises MediaUnreadable (`bad_timing`) if it cannot be rendered sensibly."""
    if seconds <= 0:
        raise MediaUnreadable("bad_timing", "The video has no duration.")
    if frames == 1:
        if seconds > MAX_SINGLE_FRAME_S:
            raise MediaUnreadable("bad_timing", f"The video has one frame for {seconds:.0f} s.")
        return max(MIN_FPS, min(1 / seconds, MAX_FPS))
    declared = float(stream.average_rate) if stream.average_rate else frames / seconds
    measured = frames / seconds
    if not (lowest <= measured <= MAX_FPS * 1.05 and lowest <= declared <= MAX_FPS * 1.05):
        detail = f"The video has {measured:.3g} frames per second on average; {MIN_FPS:g} to {MAX_FPS:g} are allowed."
        raise MediaUnreadable("bad_timing", detail)
    base = float(stream.base_rate) if stream.base_rate else declared
    if lowest >= MIN_FPS and base > 0 and seconds > 4 * frames / base + 60:
        detail = f"The video has {frames} frames for {seconds:.0f} s: its timestamps have a gap."
        raise MediaUnreadable("bad_timing", detail)
    return declared


def _alpha(stream: av.VideoStream, frame: av.VideoFrame) -> tuple[bool, str | None]:
    """Return whether the frames carry transparency, and the decoder that is needed to see it."""
    codec = stream.codec_context.codec.canonical_name
    metadata = {key.lower(): value for key, value in stream.metadata.items()}
    if codec in ("vp8", "vp9") and metadata.get("alpha_mode") == "1":
        return True, "libvpx" if codec == "vp8" else "libvpx-vp9"
    return any(component.is_alpha for component in frame.format.components), None
