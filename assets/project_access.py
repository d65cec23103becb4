"""Ownership checks of projects, registered by the app of projects, which is in a higher layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from core.exceptions import Unprocessable
from core.registry import Registry, identity

OwnsProject = Callable[[Any, UUID], bool]  # (user, project_id)
project_checks = Registry[OwnsProject, OwnsProject]("project check", key=identity)


def require_project(owner: Any, project_id: UUID | None) -> None:
    """Raise Unprocessable for a project of another user, exactly as for one that does not exist."""
    if project_id is not None and not any(owns(owner, project_id) for owns in project_checks):
        raise Unprocessable([{"pointer": "/project", "code": "not_found", "detail": "There is no such project."}])
