"""The probe process: reads requests from standard input and answers each with a line on standard output.

It opens untrusted files, so it limits itself before the first one, writes no file, and may be killed at any time.
Started by `engine.probe.client` as `python -m engine.probe.worker`.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import av

from engine.errors import MediaUnreadable
from engine.media import MediaKind
from engine.probe.fonts import probe_font
from engine.probe.images import first_frame, read_header
from engine.probe.sniff import FileType, sniff
from engine.probe.streams import StreamInfo, probe_streams

ADDRESS_SPACE_BYTES = 2 * 1024**3
OPEN_FILES = 64


def limit_process() -> None:
    """Limit memory and open files; forbid writing files and core dumps."""
    for kind, limit in (
        (resource.RLIMIT_AS, ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def limit_time(seconds: int) -> None:
    """Let the kernel end this process if the next file takes longer, in CPU time or wall-clock time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.alarm(seconds + 1)


def probe(path: Path) -> dict[str, Any]:
    """Return the fields of a file's MediaInfo. Raises MediaUnreadable."""
    file_type = sniff(path)
    try:
        return _fields(path, file_type)
    except MemoryError as error:
        raise MediaUnreadable("too_large", "The file takes too much memory to decode.") from error
    except (av.FFmpegError, OSError) as error:
        raise MediaUnreadable("damaged", "The file is damaged and cannot be decoded.") from error


def _fields(path: Path, file_type: FileType) -> dict[str, Any]:
    common = {"content_type": file_type.content_type, "demuxer": file_type.demuxer}
    if file_type.kind is MediaKind.FONT:
        probe_font(path)
        return {"kind": MediaKind.FONT, **common}
    if file_type.kind is MediaKind.IMAGE:
        return {"kind": MediaKind.IMAGE, **common, **_image(path, file_type)}
    if file_type.content_type == "image/gif":
        header = read_header(path, file_type, decode=False)
        if header.frames == 1:
            return {"kind": MediaKind.IMAGE, **common, **_image(path, file_type)}
        streams = {**_streams(probe_streams(path, file_type)), "has_alpha": header.has_alpha}
        return {"kind": MediaKind.VIDEO, **common, **streams}
    found = probe_streams(path, file_type)
    kind = MediaKind.AUDIO if found.video_codec is None else MediaKind.VIDEO
    if kind is MediaKind.AUDIO:
        common["content_type"] = common["content_type"].replace("video/", "audio/").replace("quicktime", "mp4")
    elif file_type.kind is MediaKind.AUDIO:
        common["content_type"] = common["content_type"].replace("audio/", "video/")
    return {"kind": kind, **common, **_streams(found)}


def _streams(found: StreamInfo) -> dict[str, Any]:
    return {name: getattr(found, name) for name in StreamInfo.__dataclass_fields__}


def _image(path: Path, file_type: FileType) -> dict[str, Any]:
    """Return the fields of a still image; Pillow detects truncated files, FFmpeg decodes it as a render will."""
    header = read_header(path, file_type, decode=True)
    frame = first_frame(path, file_type.demuxer)
    rotation = -int(frame.rotation) % 360
    width, height = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
    codec = {"image/jpeg": "mjpeg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
    return {
        "width": width,
        "height": height,
        "rotation": rotation,
        "has_alpha": header.has_alpha,
        "video_codec": codec[file_type.content_type],
    }


def main() -> None:
    """Write `{}` when ready, then answer `{"path", "timeout_s"}` with `{"info"}` or `{"reason", "detail"}`."""
    limit_process()
    _reply({})
    for line in sys.stdin:
        request = json.loads(line)
        limit_time(request["timeout_s"])
        try:
            answer: dict[str, Any] = {"info": probe(Path(request["path"]))}
        except MediaUnreadable as error:
            answer = {"reason": error.reason, "detail": str(error)}
        signal.alarm(0)
        _reply(answer)


def _reply(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
