"""What a client asks for when it asks for many renders at once."""

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
    """One render of a batch. given: the members that it names itself; the others come from the batch."""

    request: RenderRequest
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One wish for many renders.

    member: the list of the body that they come from, `rows` (of one template or edit) or `renders`.
    template, project_id, metadata: of the batch itself.
    """

    member: str
    items: Sequence[BatchItem]
    template: Template | None = None
    project_id: UUID | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def pointer(self, number: int, where: str) -> str:
        """Return the pointer into the batch's body for a pointer into the body of its render `number`."""
        if where.split("/")[1:2] and where.split("/")[1] not in self.items[number].given:
            return where
        return f"/{self.member}/{number}{where}"


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch of which every render was found good, in the order of its items."""

    request: BatchRequest
    renders: Sequence[PreparedRender]

    @property
    def credits(self) -> int:
        """Return what all renders will reserve, in hundredths."""
        return sum(prepared.estimate.credits for prepared in self.renders)


@dataclass(frozen=True, slots=True)
class BatchEstimate:
    """What a batch will be and cost. credits: hundredths. exact: nothing had to be guessed in any render."""

    renders: int
    duration_s: float
    frames: int
    credits: int
    exact: bool


@dataclass(frozen=True, slots=True)
class BatchValidationResult:
    """The outcome of a dry run. estimate: None where the batch is refused."""

    valid: bool
    errors: Sequence[Mapping[str, str]]
    warnings: list[dict[str, str]]
    estimate: BatchEstimate | None


class MergePointerMapper(PointerMapper):
    """Points at the merge value that made an edit bad: `/merge/NAME` of the row, where it can be told."""

    def map_issue(self, issue: Issue) -> dict[str, str]:
        """Return one issue as the API shows it."""
        name = self._name_at(issue.pointer)
        if name is None and issue.pointer != "/merge":
            return super().map_issue(issue)
        where = pointer("merge", name) if name is not None else "/merge"
        detail = f"In the edit at {issue.pointer or 'the top'}: {issue.detail}"
        return {"pointer": where, "code": issue.code, "detail": detail}

    def _name_at(self, where: str) -> str | None:
        """Return the placeholder that a place of the edit got its value from: one of the row's own, or one that
        nobody gave a value.
        """
        node: Any = self.edit
        for part in where.split("/")[1:]:
            node = _child(node, part.replace("~1", "/").replace("~0", "~"))
            if isinstance(node, str):
                break
        used = dict.fromkeys(_placeholders(node))
        own = [name for name in used if name in self.request.merge]
        if isinstance(node, str):
            return next(iter(own), None) or next((name for name in used if name not in self.merge), None)
        # The fault of a whole clip: told only where one value alone can be to blame.
        return own[0] if len(own) == 1 else None


def _child(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list) and part.isascii() and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    return None


def _placeholders(node: Any) -> Iterable[str]:
    """Yield the names of the placeholders in a value, those in what it contains too."""
    if isinstance(node, str):
        for found in PLACEHOLDER.finditer(node):
            yield found[1]
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _placeholders(child)
