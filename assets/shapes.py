"""Assets in lists: what `AssetSerializer` writes for an instance, for the values of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assets.incoming import POSTER_TYPES
from assets.models import Asset, AssetStatus, kind_choices
from core.api.prepared import PreparedList, one_of, reference
from core.api.rawvalues import Values
from core.files.links import LinkMaker

COLUMNS = (
    "id",
    "status",
    "kind",
    "name",
    "project_id",
    "size_bytes",
    "sha256",
    "content_type",
    "probe",
    "storage_key",
    "poster_key",
    "error",
    "created_at",
)
# What `with_references` counts.
_REFERENCES = "(SELECT COUNT(*) FROM assets_assethold WHERE assets_assethold.asset_id = assets_asset.id)"


def asset_shaper(base: str, version: int, values: Values) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """Return what shapes the assets of one list. Rows have the values of COLUMNS and the number of references.

    base: scheme and host of links.
    """
    links = LinkMaker(base)

    def shape(row: Sequence[Any]) -> dict[str, Any]:
        pk, status, kind, name, project, size_bytes, sha256, content_type, probe = row[:9]
        storage_key, poster_key, error, created_at, references = row[9:]
        return {
            "id": values.public_id(Asset.ID_PREFIX, pk),
            "object": "asset",
            "status": status,
            "kind": kind or None,
            "name": name,
            "project": values.public_id("prj", project),
            "size_bytes": size_bytes,
            "sha256": sha256 or None,
            "content_type": content_type or None,
            "probe": _probe(values.document(probe)),
            "url": links.url(storage_key, content_type, name, sha256) if status == AssetStatus.READY else None,
            "poster_url": _poster(links, poster_key, sha256) if poster_key else None,
            "references": references,
            "error": _error(values.document(error)),
            "created_at": values.time(created_at),
        }

    return shape


def _probe(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    duration_s, fps = found.get("duration_s"), found.get("fps")
    return {
        "duration_s": None if duration_s is None else float(duration_s),
        "width": found.get("width"),
        "height": found.get("height"),
        "fps": None if fps is None else float(fps),
        "video_codec": found.get("video_codec"),
        "audio_codec": found.get("audio_codec"),
        "has_alpha": found["has_alpha"],
    }


def _poster(links: LinkMaker, key: str, sha256: str) -> str:
    ending = key.rpartition(".")[2]
    return links.url(key, POSTER_TYPES[ending], f"poster.{ending}", f"{sha256[:32]}-poster")


def _error(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if found is None else {"code": found["code"], "detail": found["detail"]}


ASSET_LIST = PreparedList(
    Asset,
    COLUMNS,
    asset_shaper,
    filters={
        "kind": one_of("kind", [value for value, _ in kind_choices()]),
        "status": one_of("status", AssetStatus.values),
        "project": reference("project_id", "prj"),
    },
    computed=(_REFERENCES,),
)
