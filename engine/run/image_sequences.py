"""Image sequence writer: stores drawn pictures as one file that FFmpeg reads as one stream."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from engine.plan.model import SequencePicture, SequenceSource

# The files are read once and soon: speed matters, size does not.
PNG_LEVEL = 1


def _to_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def _picture_bytes(picture: SequencePicture, size: tuple[int, int]) -> bytes:
    """Return one picture as PNG of the sequence's size; it is not repainted if it has that size."""
    if picture.path is None:
        return _to_png(Image.new("RGBA", size))
    with Image.open(picture.path, formats=("PNG",)) as image:
        if image.size == size and image.mode == "RGBA" and not (picture.x or picture.y):
            return picture.path.read_bytes()
        canvas = Image.new("RGBA", size)
        canvas.paste(image.convert("RGBA"), (picture.x, picture.y))
    return _to_png(canvas)


def write_sequence(path: Path, source: SequenceSource, fps: Fraction) -> None:
    """Write the pictures as PNG packets in a NUT file, each with its first frame as timestamp.

    A repeated picture is read once.
    """
    size = (source.width, source.height)
    encoded: dict[tuple[Path | None, int, int], bytes] = {}
    with av.open(str(path), "w", format="nut") as container:
        stream = container.add_mux_stream("png", rate=fps, width=source.width, height=source.height)
        stream.time_base = 1 / fps
        for picture in source.pictures:
            key = (picture.path, picture.x, picture.y)
            if key not in encoded:
                encoded[key] = _picture_bytes(picture, size)
            packet = av.Packet(encoded[key])
            packet.stream = stream
            packet.time_base = 1 / fps
            packet.pts = packet.dts = picture.start
            packet.duration = picture.frames
            packet.is_keyframe = True
            container.mux(packet)
