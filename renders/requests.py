"""What a client asks for when it asks for a render, and what was found out about it before anything is written."""

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
    """One wish for a render. Exactly one of edit and template (or template_id) is given.

    edit: JSON, kept unchanged. merge: values for placeholders, which win over a template's defaults.
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
    """A request that was found good.

    edit, merge: what the worker will render. asset_ids: what it needs of the owner's library.
    warnings: as the API shows them; `/edit` is what `GET /renders/{id}/edit` answers, also where it is a template's.
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
        """Return what the row keeps: `url` and `events` of the request, and the `callback` of the edit."""
        asked = {name: value for name, value in (self.request.webhook or {}).items() if name != "callback"}
        return {**asked, **({"callback": self.callback} if self.callback else {})} or None


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """The outcome of a validation or dry run. estimate: None where the edit is refused."""

    valid: bool
    errors: list[Mapping[str, str]]
    warnings: list[dict[str, str]]
    estimate: CreditEstimate | None


def issue_as_json(issue: Issue) -> dict[str, str]:
    """Return a finding of the engine as the API shows it, its pointer below `/edit`."""
    return {"pointer": f"/edit{issue.pointer}", "code": issue.code, "detail": issue.detail}
