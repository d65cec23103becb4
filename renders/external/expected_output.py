"""The expected output of a render, derived from its edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assets.models import Asset
from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language import ParsedEdit, parse_edit, sources
from renders.estimates import CreditEstimate, estimate_render
from renders.models import Render
from renders.selectors import OUTPUT_TYPES, asset_media, find_assets
from renders.sources import ASSET_SCHEME

SOUND_FORMATS = frozenset({"mp3", "wav"})


@dataclass(frozen=True, slots=True)
class ExpectedOutput:
    """A parsed edit with its assets and estimate. assets: by their `asset:` URL in the edit."""

    parsed: ParsedEdit
    assets: Mapping[str, Asset]
    estimate: CreditEstimate

    @property
    def format(self) -> str:
        """Return the name of the output format, such as `mp4`."""
        return self.parsed.edit.output.format

    @property
    def content_type(self) -> str:
        """Return the content type of the output format."""
        return OUTPUT_TYPES[self.format]

    @property
    def has_pictures(self) -> bool:
        """Return whether the output is more than sound."""
        return self.format not in SOUND_FORMATS


def expected_output(render: Render) -> ExpectedOutput:
    """Parse the edit of a render and look up its assets. Raises EditInvalid, also if an asset is gone."""
    parsed = parse_edit(render.edit, merge=render.merge, strict=render.strict)
    refs = sources(parsed.edit)
    assets = find_assets(render.owner_id, [ref.url for ref in refs])
    missing = [
        Issue(ref.pointer, "asset_not_found", "There is no such asset.")
        for ref in refs
        if ref.url.startswith(ASSET_SCHEME) and (ref.url not in assets or not assets[ref.url].is_ready)
    ]
    if missing:
        raise EditInvalid(missing)
    media = {url: asset_media(asset) for url, asset in assets.items()}
    return ExpectedOutput(parsed, assets, estimate_render(parsed.edit, media))


def set_pointers(data: Mapping[str, Any], pointers: Mapping[str, str]) -> dict[str, Any]:
    """Return a copy of an edit with some strings replaced. pointers: JSON pointer to new string."""
    copy: dict[str, Any] = _copied(data)
    for pointer, text in pointers.items():
        *path, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
        place: Any = copy
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place[part]
        place[int(last) if isinstance(place, list) else last] = text
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value
