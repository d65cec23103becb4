"""Validation of requests for renders. Reads, never writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from assets.models import Asset, AssetStatus
from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language import ParsedEdit, SourceRef, parse_edit, sources
from engine.media import MediaInfo
from engine.timeline import resolve
from engine.timeline.media_checks import media_mismatches
from outbound.exceptions import FetchRefused
from renders.estimates import CreditEstimate, estimate_render
from renders.exceptions import EditRefused
from renders.models import Template
from renders.requests import PreparedRender, RenderRequest, ValidationResult, issue_as_json
from renders.selectors import asset_media
from renders.services.lookups import Lookups
from renders.services.pointers import PointerMapper
from renders.sources import ASSET_SCHEME
from renders.webhook_urls import check_webhook_url


def prepare_render(
    *,
    owner: Any,
    request: RenderRequest,
    lookups: Lookups | None = None,
    pointer_mapper: type[PointerMapper] | None = None,
) -> PreparedRender:
    """Validate a request and estimate its cost.

    lookups: shared by the requests of a batch. pointer_mapper: maps pointers into the edit to the body.
    Raises EditRefused with pointers into the body.
    """
    lookups = lookups or Lookups(owner)
    errors = _missing_project(lookups, request.project_id)
    template = request.template
    if template is None and request.template_id is not None:
        template = lookups.template(request.template_id)
    if template is None and request.edit is None:
        errors.append({"pointer": "/template", "code": "not_found", "detail": "There is no such template."})
    if errors:
        raise EditRefused(errors)
    edit, merge = _documents(request, template)
    pointers = (pointer_mapper or PointerMapper)(edit, merge, request)
    try:
        parsed = parse_edit(edit, merge=merge, strict=request.strict)
    except EditInvalid as refusal:
        raise EditRefused(pointers.map_issues(refusal.issues)) from None
    refs = sources(parsed.edit)
    media, asset_ids, problems = _find_assets(lookups, refs)
    if problems:
        raise EditRefused(pointers.map_issues(problems))
    estimate, findings = _estimate(parsed, refs, media, pointers)
    callback, notes = _find_callback(parsed)
    findings += notes
    if request.strict and findings:
        raise EditRefused(pointers.map_issues(findings))
    warnings = [*map(issue_as_json, findings)]
    return PreparedRender(request, edit, merge, template, asset_ids, warnings, estimate, callback)


def check_render(*, owner: Any, request: RenderRequest) -> ValidationResult:
    """Return the errors, warnings and cost of a request, without changing anything."""
    try:
        prepared = prepare_render(owner=owner, request=request)
    except EditRefused as refusal:
        return ValidationResult(False, list(refusal.members["errors"]), [], None)
    return ValidationResult(True, [], prepared.warnings, prepared.estimate)


def _find_callback(parsed: ParsedEdit) -> tuple[str | None, tuple[Issue, ...]]:
    """Return the callback URL of the edit, or a warning if it is not allowed."""
    if not parsed.edit.callback:
        return None, ()
    try:
        check_webhook_url(parsed.edit.callback)
    except FetchRefused as refusal:
        return None, (
            Issue("/callback", "callback_not_delivered", f"The callback will not be called. {refusal.detail}"),
        )
    return parsed.edit.callback, ()


def _documents(request: RenderRequest, template: Template | None) -> tuple[dict[str, Any], dict[str, Any]]:
    if template is None:
        assert request.edit is not None
        return request.edit, dict(request.merge)
    return template.edit, {**template.merge_defaults, **request.merge}


def _missing_project(lookups: Lookups, project_id: UUID | None) -> list[dict[str, str]]:
    if project_id is None or lookups.has_project(project_id):
        return []
    return [{"pointer": "/project", "code": "not_found", "detail": "There is no such project."}]


def _find_assets(
    lookups: Lookups, refs: Sequence[SourceRef]
) -> tuple[dict[str, MediaInfo], frozenset[UUID], list[Issue]]:
    """Return media info and ids of the assets that an edit names, and the problems with them."""
    found = lookups.assets([ref.url for ref in refs])
    media: dict[str, MediaInfo] = {}
    problems: list[Issue] = []
    for ref in refs:
        if not ref.url.startswith(ASSET_SCHEME):
            continue
        asset = found.get(ref.url)
        if problem := _problem_of(asset):
            problems.append(Issue(ref.pointer, *problem))
        elif asset is not None and ref.url not in media:
            media[ref.url] = asset_media(asset)
    return media, frozenset(asset.pk for asset in found.values()), problems


def _problem_of(asset: Asset | None) -> tuple[str, str] | None:
    if asset is None:
        return "asset_not_found", "There is no such asset."
    if asset.status == AssetStatus.PENDING:
        return "asset_pending", "The asset is still being imported; wait until it is ready."
    if asset.status == AssetStatus.FAILED:
        return "asset_failed", "The asset could not be imported, so it cannot be used."
    return None


def _estimate(
    parsed: ParsedEdit, refs: Sequence[SourceRef], media: dict[str, MediaInfo], pointers: PointerMapper
) -> tuple[CreditEstimate, tuple[Issue, ...]]:
    """Return the estimate and all warnings; those of the timeline need every source to be known."""
    warnings = parsed.warnings
    try:
        if all(ref.url in media for ref in refs):
            warnings += resolve(parsed.edit, media).warnings
        else:
            wrong = [issue for issue in media_mismatches(parsed.edit, media) if issue.code != "media_missing"]
            if wrong:
                raise EditInvalid(wrong)
        found = estimate_render(parsed.edit, media)
    except EditInvalid as refusal:
        raise EditRefused(pointers.map_issues(refusal.issues)) from None
    return found, tuple(dict.fromkeys(warnings))
