"""What the screens of the queue share: rows that staff read, and change only through actions."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class ReadOnlyAdmin(ModelAdmin):
    """A list and a detail page without a form. The tables are large: nothing is counted exactly."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


def pretty(value: Any) -> SafeString | str:
    """Return JSON laid out for reading."""
    if value in (None, "", {}):
        return "-"
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre class="whitespace-pre-wrap text-xs">{}</pre>', text)


def error_text(error: dict[str, str] | None) -> SafeString | str:
    """Return an error with its traceback, where there is one."""
    if not error:
        return "-"
    headline = f"{error.get('code', '')}: {error.get('message', '')}"
    if "traceback" not in error:
        return headline
    return format_html(
        '{}<pre class="whitespace-pre-wrap text-xs mt-2">{}</pre>',
        headline,
        error["traceback"],
    )
