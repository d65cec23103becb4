"""Services of projects and templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from core.exceptions import NotFound
from core.row_versions import refresh_version
from engine.errors import EditInvalid
from engine.language import parse_edit
from renders.exceptions import EditRefused
from renders.models import Project, Template, TemplateVersion


def create_project(
    *, owner: Any, name: str, description: str = "", metadata: Mapping[str, Any] | None = None
) -> Project:
    """Create a project."""
    return Project.objects.create(owner=owner, name=name, description=description, metadata=dict(metadata or {}))


def change_project(*, project: Project, changes: Mapping[str, Any]) -> Project:
    """Update a project. changes: of name, description and metadata."""
    for field, value in changes.items():
        setattr(project, field, value)
    project.updated_at = timezone.now()
    project.save(update_fields=[*changes, "updated_at"])
    return project


def delete_project(*, project: Project) -> None:
    """Delete a project; its renders, templates and assets stay, without a project."""
    project.delete()


def create_template(
    *,
    owner: Any,
    name: str,
    edit: dict[str, Any],
    merge: Mapping[str, Any] | None = None,
    description: str = "",
    project_id: UUID | None = None,
    before_commit: Callable[[Template], None] = lambda _: None,
) -> Template:
    """Create a template with version 1.

    merge: defaults of the placeholders. before_commit: called with the new row in the transaction.
    Raises EditRefused if no merge values make the edit valid, or the project does not exist.
    """
    _check_project(owner, project_id)
    check_template_edit(edit=edit)
    with transaction.atomic():
        template = Template.objects.create(
            owner=owner,
            project_id=project_id,
            name=name,
            description=description,
            edit=edit,
            merge_defaults=dict(merge or {}),
        )
        _add_version(template)
        before_commit(template)
    return template


def change_template(
    *, template: Template, changes: Mapping[str, Any], begin: Callable[[], None] = lambda: None
) -> Template:
    """Update a template; a change of the edit or its defaults adds a version.

    changes: of name, description, project_id, edit, merge_defaults. begin: called first in the transaction.
    Raises EditRefused as `create_template` does, NotFound if the template was deleted meanwhile.
    """
    _check_project(template.owner, changes.get("project_id"))
    if "edit" in changes:
        check_template_edit(edit=changes["edit"])
    with transaction.atomic():
        begin()
        # The lock of the row (on SQLite of the database) makes version numbers unique.
        current: Template | None = Template.objects.select_for_update().filter(pk=template.pk).first()
        if current is None:
            raise NotFound
        new_version = any(
            name in changes and changes[name] != getattr(current, name) for name in ("edit", "merge_defaults")
        )
        for field, value in changes.items():
            setattr(current, field, value)
        current.version += int(new_version)
        current.updated_at = timezone.now()
        current.save(update_fields=[*changes, "version", "updated_at"])
        if new_version:
            _add_version(current)
        refresh_version(current)
    return current


def delete_template(*, template: Template) -> None:
    """Delete a template and its versions; its renders keep their own copy of the edit."""
    template.delete()


def check_template_edit(*, edit: dict[str, Any]) -> None:
    """Raise EditRefused, with pointers below `/edit`, if no merge values can make an edit valid."""
    try:
        parse_edit(edit)
    except EditInvalid as refusal:
        errors = [issue for issue in refusal.issues if not _has_placeholder(edit, issue.pointer)]
        if errors:
            raise EditRefused(
                [{"pointer": f"/edit{issue.pointer}", "code": issue.code, "detail": issue.detail} for issue in errors]
            ) from None


def _has_placeholder(edit: Any, pointer: str) -> bool:
    """Return whether the value at a pointer contains a placeholder."""
    value = edit
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return False
    return "{{" in str(value)


def _add_version(template: Template) -> None:
    TemplateVersion.objects.create(
        template=template, number=template.version, edit=template.edit, merge_defaults=template.merge_defaults
    )


def _check_project(owner: Any, project_id: UUID | None) -> None:
    if project_id is not None and not Project.objects.for_owner(owner).filter(pk=project_id).exists():
        raise EditRefused([{"pointer": "/project", "code": "not_found", "detail": "There is no such project."}])
