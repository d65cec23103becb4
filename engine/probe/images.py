"""Image probe. Runs in the probe process only."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image

from engine.errors import MediaUnreadable
from engine.probe.sniff import FileType

MAX_PIXELS = 100_000_000
MAX_SIDE = 32_000
_PILLOW_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
# What Pillow's decoders raise for damaged files; `Image.open` itself catches these, seeking and loading do not.
_PILLOW_ERRORS = (SyntaxError, ValueError, IndexError, KeyError, TypeError, struct.error)

Image.MAX_IMAGE_PIXELS = None  # checked here, to refuse with a reason instead of a warning


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The header of an image file."""

    width: int
    height: int
    frames: int
    has_alpha: bool


def check_size(width: int, height: int) -> None:
    """Raise MediaUnreadable for a frame that would take too much memory to decode."""
    if width < 1 or height < 1:
        raise MediaUnreadable("damaged", "The picture has no size.")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        detail = f"The picture has {width} x {height} pixels; at most {MAX_PIXELS:,} are allowed."
        raise MediaUnreadable("too_many_pixels", detail)


def read_header(path: Path, file_type: FileType, *, decode: bool) -> ImageHeader:
    """Read an image's header; with `decode` also decode its first frame, so that a truncated file is noticed.

    Raises MediaUnreadable (`too_many_pixels`, `truncated`, `damaged`, `unsupported_type`).
    """
    try:
        with Image.open(path, formats=[_PILLOW_FORMATS[file_type.content_type]]) as image:
            check_size(*image.size)
            frames = getattr(image, "n_frames", 1)
            if file_type.content_type == "image/webp" and frames > 1:
                detail = "Animated WebP is not supported; use a GIF or a video."
                raise MediaUnreadable("unsupported_type", detail)
            width, height = image.size
            if decode:
                image.load()
            return ImageHeader(width, height, frames, _is_transparent(image, decoded=decode))
    except (OSError, EOFError, *_PILLOW_ERRORS) as error:
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise MediaUnreadable(reason, f"The image is {reason} and cannot be decoded.") from error


def _is_transparent(image: Image.Image, *, decoded: bool) -> bool:
    """Return whether any pixel is transparent; without decoding, whether any could be."""
    if "transparency" in image.info:
        return True
    if not image.has_transparency_data:
        return False
    if not decoded or "A" not in image.getbands():
        return True
    return image.getchannel("A").tobytes().strip(b"\xff") != b""


def first_frame(path: Path, demuxer: str) -> av.VideoFrame:
    """Decode the first frame with FFmpeg. Raises MediaUnreadable (`damaged`)."""
    options = {"protocol_whitelist": "file"}
    with av.open(str(path), format=demuxer, options=options, metadata_errors="replace") as container:
        for frame in container.decode(video=0):
            return frame
    raise MediaUnreadable("damaged", "The image cannot be decoded.")
