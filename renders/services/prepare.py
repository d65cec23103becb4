"""Judge a request for a render. Reads, never writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from assets.models import Asset, AssetStatus
from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language import ParsedEdit, SourceRef, parse_edit, sources
from engine.media import MediaInfo
from engine.timeline import resolve
from engine.timeline.matching import mismatches
from renders.estimates import Estimate, estimate_render
from renders.exceptions import EditRefused
from renders.models import Project, Template
from renders.names import ASSET_SCHEME
from renders.requests import PreparedRender, RenderRequest, Report, issue_as_json
from renders.selectors import asset_media, find_assets

NOT_DELIVERED = {
    "pointer": "/webhook",
    "code": "webhook_not_delivered",
    "detail": "This version of the service keeps the webhook but does not deliver to it yet; poll the render.",
}


def prepare_render(*, owner: Any, request: RenderRequest) -> PreparedRender:
    """Return what submitting the request would do.

    Raises EditRefused with pointers into the request's body.
    """
    errors = _missing_project(owner, request.project_id)
    template = request.template or _find_template(owner, request.template_id)
    if template is None and request.edit is None:
        errors.append({"pointer": "/template", "code": "not_found", "detail": "There is no such template."})
    if errors:
        raise EditRefused(errors)
    edit, merge = _documents(request, template)
    places = Places(in_template=template is not None)
    try:
        parsed = parse_edit(edit, merge=merge, strict=request.strict)
    except EditInvalid as refusal:
        raise EditRefused(places.all_of(refusal.issues)) from None
    refs = sources(parsed.edit)
    media, asset_ids, problems = _find_assets(owner, refs)
    if problems:
        raise EditRefused(places.all_of(problems))
    estimate, findings = _estimate(parsed, refs, media, places)
    notes = [NOT_DELIVERED] if request.webhook is not None else []
    if request.strict and (findings or notes):
        raise EditRefused([*places.all_of(findings), *notes])
    warnings = [*map(issue_as_json, findings), *notes]
    return PreparedRender(request, edit, merge, template, asset_ids, warnings, estimate)


def check_render(*, owner: Any, request: RenderRequest) -> Report:
    """Return what is wrong with a request and what it would cost, without changing anything."""
    try:
        prepared = prepare_render(owner=owner, request=request)
    except EditRefused as refusal:
        return Report(False, list(refusal.members["errors"]), [], None)
    return Report(True, [], prepared.warnings, prepared.estimate)


class Places:
    """Turns the engine's pointers into pointers into the request's body.

    The edit of a template is no part of the body: there the pointer names the template, and the detail the place.
    """

    def __init__(self, *, in_template: bool) -> None:
        self.in_template = in_template

    def one_of(self, issue: Issue) -> dict[str, str]:
        """Return one issue as the API shows it."""
        if self.in_template:
            where = issue.pointer or "the top"
            return {"pointer": "/template", "code": issue.code, "detail": f"In its edit at {where}: {issue.detail}"}
        return issue_as_json(issue)

    def all_of(self, issues: Iterable[Issue]) -> list[dict[str, str]]:
        """Return issues as the API shows them."""
        return [self.one_of(issue) for issue in issues]


def _documents(request: RenderRequest, template: Template | None) -> tuple[dict[str, Any], dict[str, Any]]:
    if template is None:
        assert request.edit is not None
        return request.edit, dict(request.merge)
    return template.edit, {**template.merge_defaults, **request.merge}


def _missing_project(owner: Any, project_id: UUID | None) -> list[dict[str, str]]:
    if project_id is None or Project.objects.for_owner(owner).filter(pk=project_id).exists():
        return []
    return [{"pointer": "/project", "code": "not_found", "detail": "There is no such project."}]


def _find_template(owner: Any, template_id: UUID | None) -> Template | None:
    if template_id is None:
        return None
    found: Template | None = Template.objects.for_owner(owner).filter(pk=template_id).first()
    return found


def _find_assets(owner: Any, refs: Sequence[SourceRef]) -> tuple[dict[str, MediaInfo], frozenset[UUID], list[Issue]]:
    """Return what is known of the assets that an edit names, their ids, and what is wrong with them."""
    found = find_assets(owner.pk, [ref.url for ref in refs])
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
    parsed: ParsedEdit, refs: Sequence[SourceRef], media: dict[str, MediaInfo], places: Places
) -> tuple[Estimate, tuple[Issue, ...]]:
    """Return the estimate and all warnings, found by resolving the timeline where every source is known already."""
    warnings = parsed.warnings
    try:
        if all(ref.url in media for ref in refs):
            warnings += resolve(parsed.edit, media).warnings
        else:
            wrong = [issue for issue in mismatches(parsed.edit, media) if issue.code != "media_missing"]
            if wrong:
                raise EditInvalid(wrong)
        found = estimate_render(parsed.edit, media)
    except EditInvalid as refusal:
        raise EditRefused(places.all_of(refusal.issues)) from None
    return found, tuple(dict.fromkeys(warnings))
