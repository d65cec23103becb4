"""Mapping of the engine's pointers to the request body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.issues import Issue
from renders.requests import RenderRequest, issue_as_json


class PointerMapper:
    """Maps pointers into the edit to pointers into the request body.

    The edit of a template is not part of the body: the pointer is then `/template`, and the detail names the place.
    """

    def __init__(self, edit: Mapping[str, Any], merge: Mapping[str, Any], request: RenderRequest) -> None:
        """edit, merge: as they will be rendered, with those of the template. request: as it was sent."""
        self.edit = edit
        self.merge = merge
        self.request = request
        self.in_template = request.edit is None

    def map_issue(self, issue: Issue) -> dict[str, str]:
        """Return an issue as the API shows it."""
        if self.in_template:
            where = issue.pointer or "the top"
            return {"pointer": "/template", "code": issue.code, "detail": f"In its edit at {where}: {issue.detail}"}
        return issue_as_json(issue)

    def map_issues(self, issues: Iterable[Issue]) -> list[dict[str, str]]:
        """Return issues as the API shows them."""
        return [self.map_issue(issue) for issue in issues]
