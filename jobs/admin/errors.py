"""How the screens of the queue show an error."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString


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
