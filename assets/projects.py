"""Whose projects assets may be put into: the app of the projects lies above this one, and says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from core.exceptions import Unacceptable

OwnsProject = Callable[[Any, UUID], bool]
_checkers: list[OwnsProject] = []


def register_project_check(owns_project: OwnsProject) -> None:
    """Have `owns_project(user, project_id)` decide. Register in `AppConfig.ready()`."""
    if owns_project not in _checkers:
        _checkers.append(owns_project)


def require_project(owner: Any, project_id: UUID | None) -> None:
    """Raise Unacceptable for a project that is not the owner's, exactly as for one that does not exist."""
    if project_id is not None and not any(owns(owner, project_id) for owns in _checkers):
        raise Unacceptable([{"pointer": "/project", "code": "not_found", "detail": "There is no such project."}])
