"""Base classes and helpers of admin pages: read-only rows, audited forms, formatted JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from core.audit import record_action
from core.cache_tags.models import CacheTag, TagIncrement

MAX_CHARACTERS = 200_000
MAX_CELL_CHARACTERS = 60
_BOX = "max-height:32rem;overflow:auto;padding:.75rem;border-radius:.5rem;background:rgba(127,127,127,.12);"


def short_text(text: str) -> str:
    """Return the text, truncated to fit into a cell of a list."""
    return Truncator(text).chars(MAX_CELL_CHARACTERS)


@contextmanager
def audited(request: HttpRequest, action: str, subject: str, **details: Any) -> Iterator[None]:
    """Open the transaction of a staff action, and record it in the audit log when the block succeeds."""
    with transaction.atomic():
        yield
        record_action(action=action, subject=subject, actor=request.user, details=details)


class AuditedForms:
    """Admin forms whose additions, changes and deletions go into the audit log, in the form's transaction.

    unrecorded: what the services behind the form record themselves, e.g. "added".
    """

    unrecorded: tuple[str, ...] = ()

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record that a row was added."""
        self._record(request, "added", [obj])
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record that a row was changed, and which fields."""
        self._record(request, "changed", [obj], message)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Record that rows were deleted."""
        with transaction.atomic():
            self._record(request, "deleted", queryset)
            return super().log_deletions(request, queryset)  # type: ignore[misc]

    def _record(self, request: HttpRequest, done: str, rows: Iterable[Any], message: Any = ()) -> None:
        if done in self.unrecorded:
            return
        for row in rows:
            details = {"fields": _changed_fields(message)} if done == "changed" else {"name": str(row)[:200]}
            subject = getattr(row, "public_id", "") or str(row.pk)
            action = f"{row._meta.model_name}.{done}"
            record_action(action=action, subject=subject, actor=request.user, details=details)


def _changed_fields(message: Any) -> list[str]:
    """Return the fields of the admin's change message, or the message itself if it is text, as for a new password."""
    if isinstance(message, str):
        return [message]
    return sorted({name for part in message for note in part.values() for name in note.get("fields", [])})


class ReadOnlyRows:
    """Rows that only services write: no form adds, changes or deletes them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class ReadOnlyAdmin(ReadOnlyRows, ModelAdmin):
    """A list and a detail page without a form. The tables are large, so there are no exact counts."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50


def pretty_json(value: Any) -> SafeString | str:
    """Return indented JSON in a scrollable box."""
    if value in (None, "", {}, []):
        return "—"
    return text_box(json.dumps(value, indent=2, ensure_ascii=False))


def text_box(text: str) -> SafeString | str:
    """Return text in a scrollable box, truncated to MAX_CHARACTERS."""
    if not text:
        return "—"
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}\n... {len(text) - MAX_CHARACTERS} more characters"
    return format_html(
        '<pre style="{}font-size:.75rem;white-space:pre-wrap;overflow-wrap:anywhere">{}</pre>', _BOX, text
    )


@admin.register(CacheTag)
class CacheTagAdmin(ReadOnlyAdmin):
    """Tag versions, which cached responses are compared with."""

    list_display = ("tag", "account", "version")
    list_filter = ("tag",)
    search_fields = ("=account",)
    ordering = ("account", "tag")


@admin.register(TagIncrement)
class TagIncrementAdmin(ReadOnlyAdmin):
    """Increments that are not yet added to their tags; a job adds them each minute. Empty on SQLite."""

    list_display = ("tag", "account", "amount")
    list_filter = ("tag",)
    search_fields = ("=account",)
    ordering = ("-id",)
