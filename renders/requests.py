"""Dataclasses of a render: the request, its preparation and its validation result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from engine.issues import Issue
from renders.estimates import CreditEstimate
from renders.models import RenderPriority, Template


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """A request for a render, with exactly one of edit and template (or template_id).

    edit: JSON, stored unchanged. merge: values of placeholders, which override the defaults of a template.
    """

    edit: dict[str, Any] | None = None
    template: Template | None = None
    template_id: UUID | None = None
    merge: Mapping[str, Any] = field(default_factory=dict)
    project_id: UUID | None = None
    priority: RenderPriority = RenderPriority.NORMAL
    run_at: datetime | None = None
    webhook: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class PreparedRender:
    """A validated request.

    edit, merge: what the worker will render. asset_ids: the assets that the edit names.
    warnings: as the API shows them, with pointers below `/edit`, also if the edit is that of a template.
    """

    request: RenderRequest
    edit: dict[str, Any]
    merge: dict[str, Any]
    template: Template | None
    asset_ids: frozenset[UUID]
    warnings: list[dict[str, str]]
    estimate: CreditEstimate
    callback: str | None = None

    @property
    def webhook(self) -> dict[str, Any] | None:
        """Return what the row stores: `url` and `events` of the request, and the `callback` of the edit."""
        requested = {name: value for name, value in (self.request.webhook or {}).items() if name != "callback"}
        return {**requested, **({"callback": self.callback} if self.callback else {})} or None


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """The outcome of a validation or dry run. estimate: None if the edit is refused."""

    valid: bool
    errors: list[Mapping[str, str]]
    warnings: list[dict[str, str]]
    estimate: CreditEstimate | None


def issue_as_json(issue: Issue) -> dict[str, str]:
    """Return an issue of the engine as the API shows it, with its pointer below `/edit`."""
    return {"pointer": f"/edit{issue.pointer}", "code": issue.code, "detail": issue.detail}
