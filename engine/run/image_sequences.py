"""Write a sequence of drawn pictures as one file that FFmpeg reads as one stream."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from engine.plan.model import SequencePicture, SequenceSource

# Our own pictures, read once and soon: speed matters, size does not.
PNG_LEVEL = 1


def _encoded(image: Image.Image) -> bytes:
    """Return a picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "png", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def _picture_bytes(picture: SequencePicture, size: tuple[int, int]) -> bytes:
    """Return one picture as PNG of the sequence's size; a picture that has it already is not repainted."""
    if picture.path is None:
        return _encoded(Image.new("RGBA", size))
    with Image.open(picture.path, formats=("PNG",)) as image:
        if image.size == size and image.mode == "RGBA" and not (picture.x or picture.y):
            return picture.path.read_bytes()
        canvas = Image.new("RGBA", size)
        canvas.paste(image.convert("RGBA"), (picture.x, picture.y))
    return _encoded(canvas)


def write_sequence(path: Path, source: SequenceSource, fps: Fraction) -> None:
    """Write the pictures, each with the frame it begins at as its time, as PNG in a NUT file.

    A picture that occurs again is read once.
    """
    size = (source.width, source.height)
    seen: dict[tuple[Path | None, int, int], bytes] = {}
    with av.open(str(path), "w", format="nut") as container:
        stream = container.add_mux_stream("png", rate=fps, width=source.width, height=source.height)
        stream.time_base = 1 / fps
        for picture in source.pictures:
            key = (picture.path, picture.x, picture.y)
            if key not in seen:
                seen[key] = _picture_bytes(picture, size)
            packet = av.Packet(seen[key])
            packet.stream = stream
            packet.time_base = 1 / fps
            packet.pts = packet.dts = picture.start
            packet.duration = picture.frames
            packet.is_keyframe = True
            container.mux(packet)
