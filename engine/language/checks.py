"""Cross-field checks: references between clips, and content that will not show."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.issues import Issue, pointer
from engine.language.clip import Clip
from engine.language.edit import EVEN_FORMATS, Edit
from engine.language.fields import ALIAS_PREFIX
from engine.language.presets import MAX_DURATION_S
from engine.language.text_assets import Html5Asset, HtmlAsset

_RESOURCE = re.compile(
    r"<(?:img|image|link|iframe|script|video|audio|source|embed|object|use)\b[^>]{0,5000}?"
    r"(?:src|href|data)\s*=\s*[\"']?\s*(?!data:|#)[^\s\"'>]",
    re.IGNORECASE,
)
_CSS_RESOURCE = re.compile(r"url\(\s*[\"']?\s*(?!data:|#)[^\s\"')]|@import\b", re.IGNORECASE)
_CSS_MOTION = re.compile(r"@keyframes\b|\banimation(-name)?\s*:|\btransition\s*:", re.IGNORECASE)


def walk_clips(edit: Edit) -> Iterator[tuple[str, int, Clip]]:
    """Yield pointer, track index and clip of every clip, in the edit's order."""
    for track, layer in enumerate(edit.timeline.tracks):
        for index, clip in enumerate(layer.clips):
            yield pointer("timeline", "tracks", track, "clips", index), track, clip


def edit_errors(edit: Edit) -> Iterator[Issue]:
    """Yield the errors that no field shows by itself."""
    aliases = {clip.alias for _, _, clip in walk_clips(edit) if clip.alias}
    for where, _, clip in walk_clips(edit):
        for name in ("start", "length"):
            value = getattr(clip, name)
            if isinstance(value, str) and value.startswith(ALIAS_PREFIX):
                alias = value.removeprefix(ALIAS_PREFIX)
                if alias not in aliases:
                    yield Issue(f"{where}/{name}", "unknown_alias", f"No clip has the alias '{alias[:60]}'.")
        known = [value for value in (clip.start, clip.length) if isinstance(value, float)]
        if sum(known) > MAX_DURATION_S:
            yield Issue(where, "out_of_range", f"A timeline lasts at most {MAX_DURATION_S} seconds.")
    output_range = edit.output.range
    if output_range is not None and output_range.length == 0:
        yield Issue("/output/range/length", "out_of_range", "The range is empty.")
    size = edit.output.size
    if size is not None and edit.output.format in EVEN_FORMATS:
        # The chroma planes of yuv420p have half the pixels in each direction.
        for name, pixels in (("width", size.width), ("height", size.height)):
            if pixels % 2:
                detail = f"The {name} of a video of format {edit.output.format} must be even."
                yield Issue(f"/output/size/{name}", "invalid_value", detail)


def edit_warnings(edit: Edit) -> Iterator[Issue]:
    """Yield warnings about content that will not show as written."""
    seen: set[str] = set()
    for where, _, clip in walk_clips(edit):
        if clip.alias in seen:
            detail = f"The alias '{clip.alias}' is already used by an earlier clip; references mean that one."
            yield Issue(f"{where}/alias", "duplicate_alias", detail)
        if clip.alias:
            seen.add(clip.alias)
        if isinstance(clip.asset, HtmlAsset | Html5Asset):
            yield from _html_warnings(f"{where}/asset", clip.asset)
    if edit.output.size is not None:
        for name, key in (("resolution", "resolution"), ("aspect_ratio", "aspectRatio")):
            if name in edit.output.model_fields_set:
                yield Issue(f"/output/{key}", "ignored_field", "'size' is also given and is used instead.")
    for index, destination in enumerate(edit.output.destinations):
        if destination.provider.lower() != "shotstack":
            detail = f"Outputs are not sent to '{destination.provider[:60]}'; they are stored by this service only."
            yield Issue(pointer("output", "destinations", index), "ignored_field", detail)


def _html_warnings(where: str, asset: HtmlAsset | Html5Asset) -> Iterator[Issue]:
    blocked = "HTML loads no external resources; this part stays empty."
    if _RESOURCE.search(asset.html) or _CSS_RESOURCE.search(asset.html):
        yield Issue(f"{where}/html", "html_resource_blocked", blocked)
    if _CSS_RESOURCE.search(asset.css):
        yield Issue(f"{where}/css", "html_resource_blocked", blocked)
    if isinstance(asset, HtmlAsset) and "<script" in asset.html.lower():
        yield Issue(f"{where}/html", "script_ignored", "Scripts in HTML are not run.")
    if _CSS_MOTION.search(asset.css) or _CSS_MOTION.search(asset.html):
        yield Issue(f"{where}/css", "motion_ignored", "CSS animations do not move; the page is drawn once.")
