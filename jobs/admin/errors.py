"""Display of job errors in the admin."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString


def error_text(error: dict[str, str] | None) -> SafeString | str:
    """Return the error as escaped HTML, with its traceback if it has one; "-" for no error."""
    if not error:
        return "-"
    headline = f"{error.get('code', '')}: {error.get('message', '')}"
    if "traceback" not in error:
        return headline
    return format_html('{}<pre class="whitespace-pre-wrap text-xs mt-2">{}</pre>', headline, error["traceback"])
