"""The sample video that all seeded renders and assets share."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.language import parse_edit
from engine.pipeline import render_timeline
from engine.timeline import resolve
from files.storage import blob_store

_EDIT: dict[str, Any] = {
    "timeline": {
        "background": "#312e81",
        "tracks": [
            {"clips": [{"asset": {"type": "title", "text": "Renderowl", "style": "minimal"}, "start": 0, "length": 2}]}
        ],
    },
    "output": {"format": "mp4", "size": {"width": 320, "height": 180}, "fps": 15},
}


@dataclass(frozen=True, slots=True)
class SampleMedia:
    """The storage keys of the sample; empty without one."""

    output_key: str = ""
    poster_key: str = ""
    thumbnail_key: str = ""
    asset_key: str = ""
    size_bytes: int = 0
    sha256: str = "0" * 64

    def __bool__(self) -> bool:
        """Return whether the sample was stored."""
        return bool(self.output_key)


def store_sample_media(token: str) -> SampleMedia:
    """Render the sample and store it under `demo/<token>`."""
    timeline = resolve(parse_edit(_EDIT, merge={}, strict=False).edit, {}).timeline
    with tempfile.TemporaryDirectory(prefix="renderowl-seed-") as name:
        folder = Path(name)
        video, poster, thumbnail = folder / "output.mp4", folder / "poster.jpg", folder / "thumbnail.jpg"
        render_timeline(timeline, out=video, work_dir=folder / "work", poster=poster, thumbnail=thumbnail)
        base = f"demo/{token}"
        store = blob_store()
        # Assets get their own copy: deleting the last asset deletes its file.
        store.publish(video, f"{base}/output.mp4", content_type="video/mp4")
        store.publish(video, f"{base}/asset.mp4", content_type="video/mp4")
        store.publish(poster, f"{base}/poster.jpg", content_type="image/jpeg")
        store.publish(thumbnail, f"{base}/thumbnail.jpg", content_type="image/jpeg")
        content = video.read_bytes()
    return SampleMedia(
        output_key=f"{base}/output.mp4",
        poster_key=f"{base}/poster.jpg",
        thumbnail_key=f"{base}/thumbnail.jpg",
        asset_key=f"{base}/asset.mp4",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
