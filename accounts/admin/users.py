"""Admin of users and groups."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts import services
from accounts.models import User
from core.admin import AuditedForms
from core.scopes import RESTRICTED_SCOPES

# Only superusers may change these, or staff could promote themselves.
PRIVILEGE_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions", "granted_scopes")


class UserForm(UserChangeForm):
    """Form of an existing user, with a checkbox for each restricted scope."""

    granted_scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in sorted(RESTRICTED_SCOPES)],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="In addition to the public scopes, and to those of staff.",
    )


@admin.register(User)
class UserAdmin(AuditedForms, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """Users are suspended or deactivated, never deleted: the ledger and the audit log refer to them."""

    unrecorded = ("added",)
    form = UserForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "plan", "is_staff", "is_active", "is_suspended", "created_at")
    list_filter = ("plan", "is_staff", "is_active", "is_suspended")
    search_fields = ("username", "email")
    list_select_related = ()
    list_per_page = 50
    date_hierarchy = "created_at"
    ordering = ("username",)
    actions = ("suspend", "resume")
    readonly_fields = ("public_id", "is_suspended", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("public_id", "username", "password", "email", "first_name", "last_name")}),
        ("Account", {"fields": ("plan", "is_active", "is_suspended", "created_at", "last_login")}),
        ("Permissions", {"fields": PRIVILEGE_FIELDS}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "usable_password", "password1", "password2", "plan")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Make privilege fields read-only except for superusers."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, *PRIVILEGE_FIELDS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Let only superusers change superusers: a changed password takes over the account."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: suspend or deactivate the user instead."""
        return False

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may suspend and resume others."""
        return request.user.has_perm("accounts.suspend_user")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save through the services, which publish events; record changes of privileges."""
        assert isinstance(request.user, User)
        if not change:
            services.register_user(user=obj, actor=request.user)
            return
        plan = obj.plan
        if "plan" in form.changed_data:
            obj.plan = form.initial["plan"]
            services.set_plan(user=obj, plan=plan, actor=request.user)
        super().save_model(request, obj, form, change)
        if changed := [name for name in PRIVILEGE_FIELDS if name in form.changed_data]:
            details = {"fields": changed}
            services.record_audit(
                action="user.powers_changed", subject=obj.public_id, actor=request.user, details=details
            )

    @admin.action(description="Suspend", permissions=["suspend"])
    def suspend(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Suspend the selected users, except the acting user and, unless a superuser acts, superusers."""
        assert isinstance(request.user, User)
        selected = users.exclude(pk=request.user.pk)
        if not request.user.is_superuser:
            selected = selected.exclude(is_superuser=True)
        count = sum(services.suspend_user(user=user, actor=request.user) for user in selected)
        self.message_user(request, f"{count} suspended.", messages.SUCCESS if count else messages.WARNING)

    @admin.action(description="Resume", permissions=["suspend"])
    def resume(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Let the selected users' credentials work again."""
        assert isinstance(request.user, User)
        count = sum(services.resume_user(user=user, actor=request.user) for user in users)
        self.message_user(request, f"{count} resumed.", messages.SUCCESS if count else messages.WARNING)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(AuditedForms, DjangoGroupAdmin, ModelAdmin):
    """Django's groups in the theme of the admin; only superusers may change them."""

    list_display = ("name",)
    search_fields = ("name",)
    list_filter = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Allow superusers only: a group grants permissions."""
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Allow superusers only."""
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Allow superusers only."""
        return request.user.is_superuser
