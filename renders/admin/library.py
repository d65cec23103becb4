"""Admin screens of projects and templates."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminTextareaWidget

from core.admin import AuditedForms, pretty_json, short_text
from renders.exceptions import EditRefused
from renders.models import Project, Template, TemplateVersion
from renders.services.library import (
    change_project,
    change_template,
    check_template_edit,
    create_project,
    create_template,
)


@admin.register(Project)
class ProjectAdmin(AuditedForms, ModelAdmin):
    """Folders of renders, templates and assets."""

    list_display = ("show_name", "public_id", "owner", "created_at", "updated_at")
    list_filter = ("created_at",)
    search_fields = ("name", "owner__username")
    list_select_related = ("owner",)
    autocomplete_fields = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    list_per_page = 50
    fields = ("public_id", "owner", "name", "description", "metadata", "created_at", "updated_at")
    readonly_fields = ("public_id", "created_at", "updated_at")

    @admin.display(description="name", ordering="name")
    def show_name(self, row: Project) -> str:
        """Return the name, truncated to the column."""
        return short_text(row.name)

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> tuple[str, ...]:
        """Make the owner read-only once the project exists."""
        return (*self.readonly_fields, "owner") if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        """Save through the services."""
        values = {name: form.cleaned_data[name] for name in ("name", "description", "metadata")}
        if change:
            change_project(project=obj, changes=values)
            return
        created = create_project(owner=obj.owner, **values)
        obj.pk, obj.created_at = created.pk, created.created_at


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form of a template, with the checks of the API."""

    class Meta:
        model = Template
        fields = ("owner", "project", "name", "description", "edit", "merge_defaults")
        widgets = {
            "edit": UnfoldAdminTextareaWidget(attrs={"rows": 30, "style": "font-family: monospace"}),
            "merge_defaults": UnfoldAdminTextareaWidget(attrs={"rows": 6, "style": "font-family: monospace"}),
        }

    def clean_edit(self) -> dict[str, Any]:
        """Refuse an edit that no merge values can make valid."""
        edit: Any = self.cleaned_data["edit"]
        try:
            check_template_edit(edit=edit)
        except EditRefused as refusal:
            raise forms.ValidationError(
                [f"{error['pointer']}: {error['detail']}" for error in refusal.members["errors"]]
            ) from None
        return dict(edit)

    def clean_merge_defaults(self) -> dict[str, Any]:
        """Refuse anything but a JSON object; empty means no defaults."""
        defaults: Any = self.cleaned_data["merge_defaults"]
        if defaults is None:
            return {}
        if not isinstance(defaults, dict):
            raise forms.ValidationError("This must be a JSON object.")
        return defaults

    def clean(self) -> dict[str, Any]:
        """Refuse a project of another account."""
        cleaned: dict[str, Any] = super().clean() or {}
        project = cleaned.get("project")
        owner = cleaned.get("owner") or getattr(self.instance, "owner", None)
        if project is not None and project.owner != owner:
            self.add_error("project", "This project belongs to another account.")
        return cleaned


class TemplateVersionInline(TabularInline):
    """Read-only history of a template."""

    model = TemplateVersion
    fields = ("number", "created_at", "shown_edit")
    readonly_fields = fields
    extra = 0
    can_delete = False
    ordering = ("-number",)
    tab = True
    per_page = 10

    @admin.display(description="edit")
    def shown_edit(self, version: TemplateVersion) -> str:
        """Return the edit, indented."""
        return pretty_json(version.edit)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: versions are added by changing the template."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: versions never change."""
        return False


@admin.register(Template)
class TemplateAdmin(AuditedForms, ModelAdmin):
    """Edits with placeholders. Saving a changed edit adds a version."""

    form = TemplateForm
    inlines = (TemplateVersionInline,)
    list_display = ("show_name", "public_id", "version", "owner", "project", "created_at", "updated_at")
    list_filter = ("created_at",)
    search_fields = ("name", "owner__username")
    list_select_related = ("owner", "project")
    autocomplete_fields = ("owner", "project")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    list_per_page = 50
    paginator = InfinitePaginator
    show_full_result_count = False
    fields = (
        "public_id",
        "owner",
        "project",
        "name",
        "description",
        "version",
        "edit",
        "merge_defaults",
        "created_at",
        "updated_at",
    )
    readonly_fields = ("public_id", "version", "created_at", "updated_at")

    @admin.display(description="name", ordering="name")
    def show_name(self, row: Template) -> str:
        """Return the name, truncated to the column."""
        return short_text(row.name)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Defer the long columns, which only the change page shows."""
        return super().get_queryset(request).defer("edit", "merge_defaults")

    def get_readonly_fields(self, request: HttpRequest, obj: Template | None = None) -> tuple[str, ...]:
        """Make the owner read-only once the template exists."""
        return (*self.readonly_fields, "owner") if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Template, form: Any, change: bool) -> None:
        """Save through the services, which number the versions."""
        data = form.cleaned_data
        project_id = data["project"].pk if data["project"] else None
        values = {"name": data["name"], "description": data["description"], "edit": data["edit"]}
        if change:
            changes = {**values, "project_id": project_id, "merge_defaults": data["merge_defaults"]}
            saved = change_template(template=obj, changes=changes)
        else:
            saved = create_template(owner=obj.owner, merge=data["merge_defaults"], project_id=project_id, **values)
        obj.pk, obj.version, obj.created_at = saved.pk, saved.version, saved.created_at
