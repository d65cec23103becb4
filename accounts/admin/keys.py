"""Admin of API keys: created with any scope, shown once, revoked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from accounts import services
from accounts.authentication import client_address
from accounts.flash import flash_secret, pop_secret
from accounts.models import ApiKey, User
from accounts.serializers import MAX_NETWORKS, normalise_network
from core.admin import AuditedForms
from core.scopes import ALL_SCOPES


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form of a new key."""

    creator: User

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in sorted(ALL_SCOPES)], widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    allowed_networks = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="CIDR blocks, one per line. Leave empty to allow any address.",
    )
    pinned_version = forms.TypedChoiceField(
        choices=[("", "—"), *((version, f"v{version}") for version in settings.RENDEROWL_API_VERSIONS)],
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = ApiKey
        fields = ("user", "name", "type", "scopes", "expires_at", "allowed_networks", "pinned_version")

    def clean_allowed_networks(self) -> list[str]:
        """Return the blocks in canonical form."""
        lines = [line for line in self.cleaned_data["allowed_networks"].splitlines() if line.strip()]
        if len(lines) > MAX_NETWORKS:
            raise forms.ValidationError(f"At most {MAX_NETWORKS} networks.")
        try:
            return [normalise_network(line) for line in lines]
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from error

    def clean_expires_at(self) -> Any:
        """Refuse a time in the past."""
        value = self.cleaned_data["expires_at"]
        if value is not None and value <= timezone.now():
            raise forms.ValidationError("This time is in the past.")
        return value

    def clean_user(self) -> User:
        """Refuse keys for other staff: their creator sees the plaintext and could act as them."""
        owner: User = self.cleaned_data["user"]
        if owner.is_staff and owner != self.creator and not self.creator.is_superuser:
            raise forms.ValidationError("Only a superuser can create keys for other members of staff.")
        return owner

    def clean(self) -> dict[str, Any]:
        """Refuse scopes that the owner does not have."""
        cleaned: dict[str, Any] = super().clean() or {}
        owner = cleaned.get("user")
        if owner and (beyond := set(cleaned.get("scopes", [])) - owner.scopes):
            names = ", ".join(sorted(beyond))
            self.add_error("scopes", f"{owner} does not have {names}. Grant it on the user's page first.")
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(AuditedForms, ModelAdmin):
    """Keys can be created and revoked, but not changed; the digest is never shown."""

    unrecorded = ("added",)
    form = KeyForm
    list_display = ("masked", "name", "user", "type", "is_working", "last_used_at", "expires_at", "created_at")
    list_filter = ("type", ("revoked_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("=key_prefix", "name", "user__username")
    list_select_related = ("user",)
    autocomplete_fields = ("user",)
    list_per_page = 50
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    actions = ("revoke",)
    fields = (
        "public_id",
        "masked",
        "user",
        "name",
        "type",
        "scopes",
        "allowed_networks",
        "pinned_version",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )

    @admin.display(boolean=True, description="works")
    def is_working(self, key: ApiKey) -> bool:
        """Return whether the key is active."""
        return key.is_active

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Show the form's fields for a new key, and everything but the secret for an existing one."""
        return self.fields if obj else KeyForm.Meta.fields

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Pass the requesting user to the form."""
        form = super().get_form(request, obj, change, **kwargs)
        form.creator = request.user
        return form

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Refuse: create another key instead."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Refuse: a revoked key keeps its history."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may revoke keys."""
        return request.user.has_perm("accounts.revoke_apikey")

    @method_decorator(never_cache)
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Create a key; the response must not be cached."""
        response: HttpResponse = super().add_view(request, form_url, extra_context)
        return response

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Create the key through the service."""
        assert isinstance(request.user, User)
        minted = services.create_api_key(actor=request.user, address=client_address(request), **form.cleaned_data)
        # The admin continues with its own object: make that the row that the service wrote.
        obj.pk = minted.key.pk
        obj._state.adding = False  # noqa: SLF001 - as Django's own save does
        obj.refresh_from_db()
        request.minted_plaintext = minted.plaintext  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Redirect to the page that shows the secret once, so that a reload creates no second key."""
        url = reverse("admin:accounts_apikey_minted", args=[obj.pk])
        response = redirect(url)
        plaintext: str = request.minted_plaintext  # type: ignore[attr-defined]
        flash_secret(request, response, name=f"key:{obj.pk}", text=plaintext, path=url)
        return response

    def get_urls(self) -> list[Any]:
        """Add the page that shows a new key."""
        page = never_cache(self.admin_site.admin_view(self.minted_view))
        return [path("<uuid:pk>/minted/", page, name="accounts_apikey_minted"), *super().get_urls()]

    def minted_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show the secret of a new key once, to the user who created it."""
        plaintext = pop_secret(request, name=f"key:{pk}")
        list_url = reverse("admin:accounts_apikey_changelist")
        if plaintext is None:
            self.message_user(request, "A key is shown once, and only to the user who created it.", messages.INFO)
            return redirect(list_url)
        context = {
            **self.admin_site.each_context(request),
            "title": "Copy the key now",
            "opts": self.opts,
            "key": get_object_or_404(ApiKey, pk=pk),
            "plaintext": plaintext,
            "list_url": list_url,
        }
        return TemplateResponse(request, "admin/accounts/apikey/minted.html", context)

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """Revoke the selected keys."""
        assert isinstance(request.user, User)
        count = sum(
            services.revoke_api_key(key=key, actor=request.user, address=client_address(request)) for key in keys
        )
        self.message_user(request, f"{count} revoked.", messages.SUCCESS if count else messages.WARNING)
