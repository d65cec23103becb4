"""Admin pages of the API app."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from api.idempotency.models import IdempotencyKey
from core.admin import ReadOnlyAdmin, pretty_json, text_box


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Idempotency keys, each with its stored response."""

    list_display = ("key", "user", "method", "route", "state", "status_code", "created_at", "expires_at")
    list_filter = ("state", "route", "created_at")
    search_fields = ("=key", "user__username")
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        "key",
        "user",
        "method",
        "route",
        "fingerprint",
        "state",
        "created_at",
        "locked_until",
        "completed_at",
        "expires_at",
        "status_code",
        "shown_headers",
        "shown_body",
        "is_reference",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the keys without their stored responses, which only the detail page loads."""
        return super().get_queryset(request).defer("headers", "body")

    @admin.display(description="headers")
    def shown_headers(self, key: IdempotencyKey) -> SafeString | str:
        """Return the headers of the stored response as indented JSON."""
        return pretty_json(key.headers)

    @admin.display(description="body")
    def shown_body(self, key: IdempotencyKey) -> SafeString | str:
        """Return the body of the stored response as text."""
        return text_box(bytes(key.body or b"").decode(errors="replace"))
