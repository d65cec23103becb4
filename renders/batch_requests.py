"""Dataclasses of a batch: the request, its preparation and its estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from engine.issues import Issue, pointer
from engine.language.fields import PLACEHOLDER
from renders.models import Template
from renders.requests import PreparedRender, RenderRequest
from renders.services.pointers import PointerMapper

MAX_RENDERS = 1000


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One render of a batch. given: the members that it sets itself; the others come from the batch."""

    request: RenderRequest
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A request for many renders.

    member: the list in the body that they come from, `rows` (of one template or edit) or `renders`.
    template, project_id, metadata: of the batch itself.
    """

    member: str
    items: Sequence[BatchItem]
    template: Template | None = None
    project_id: UUID | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def pointer(self, number: int, where: str) -> str:
        """Translate a pointer into the body of render `number` to one into the body of the batch."""
        if where.split("/")[1:2] and where.split("/")[1] not in self.items[number].given:
            return where
        return f"/{self.member}/{number}{where}"


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A validated batch; its renders are in the order of the items."""

    request: BatchRequest
    renders: Sequence[PreparedRender]

    @property
    def credits(self) -> int:
        """Return the credits that all renders together reserve, in hundredths."""
        return sum(prepared.estimate.credits for prepared in self.renders)


@dataclass(frozen=True, slots=True)
class BatchEstimate:
    """Size and cost of a batch. credits: hundredths. exact: no render has a source of unknown length."""

    renders: int
    duration_s: float
    frames: int
    credits: int
    exact: bool


@dataclass(frozen=True, slots=True)
class BatchValidationResult:
    """The outcome of a dry run. estimate: None if the batch is refused."""

    valid: bool
    errors: Sequence[Mapping[str, str]]
    warnings: list[dict[str, str]]
    estimate: BatchEstimate | None


class MergePointerMapper(PointerMapper):
    """Points at the merge value that made an edit invalid, as `/merge/NAME` in the row, where it is certain."""

    def map_issue(self, issue: Issue) -> dict[str, str]:
        """Return one issue as the API shows it."""
        name = self._name_at(issue.pointer)
        if name is None and issue.pointer != "/merge":
            return super().map_issue(issue)
        where = pointer("merge", name) if name is not None else "/merge"
        detail = f"In the edit at {issue.pointer or 'the top'}: {issue.detail}"
        return {"pointer": where, "code": issue.code, "detail": detail}

    def _name_at(self, where: str) -> str | None:
        """Return the placeholder that the value at a pointer came from: set by the row itself, or without a value."""
        node: Any = self.edit
        for part in where.split("/")[1:]:
            node = _child(node, part.replace("~1", "/").replace("~0", "~"))
            if isinstance(node, str):
                break
        used = dict.fromkeys(_placeholders(node))
        own = [name for name in used if name in self.request.merge]
        if isinstance(node, str):
            return next(iter(own), None) or next((name for name in used if name not in self.merge), None)
        # An issue of a whole clip: certain only if the clip has a single value of the row.
        return own[0] if len(own) == 1 else None


def _child(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list) and part.isascii() and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    return None


def _placeholders(node: Any) -> Iterable[str]:
    """Yield the names of all placeholders in a JSON value."""
    if isinstance(node, str):
        for found in PLACEHOLDER.finditer(node):
            yield found[1]
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _placeholders(child)
