"""HTML fragments of the admin screens, all built with `format_html`."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html, format_html_join


def progress_bar(percent: float, *, done: bool) -> str:
    """Return a progress bar. percent: 0 to 100; done: colors it green."""
    color = "#16a34a" if done else "#4f46e5"
    return format_html(
        '<div role="progressbar" aria-valuenow="{0}" aria-valuemin="0" aria-valuemax="100" title="{0} %" '
        'style="width:7rem;height:.5rem;border-radius:.25rem;background:rgba(127,127,127,.25)">'
        '<div style="width:{0}%;height:100%;border-radius:.25rem;background:{1}"></div></div>',
        f"{percent:.1f}",
        color,
    )


def image(url: str, *, height: str) -> str:
    """Return a lazily loaded image. height: a CSS length."""
    return format_html(
        '<img src="{}" alt="" loading="lazy" style="height:{};width:auto;max-width:none;border-radius:.25rem">',
        url,
        height,
    )


def video_player(url: str, *, poster: str, content_type: str) -> str:
    """Return the element that shows a file of this content type: image, audio or video."""
    if content_type.startswith("image/"):
        return image(url, height="20rem")
    if content_type.startswith("audio/"):
        return format_html('<audio src="{}" controls preload="none"></audio>', url)
    return format_html(
        '<video src="{}" poster="{}" controls preload="none" style="max-height:24rem;max-width:100%;'
        'border-radius:.5rem;background:#000"></video>',
        url,
        poster,
    )


def issue_list(items: list[dict[str, str]]) -> str:
    """Return warnings or notes as an HTML list. items: pointer, code and detail."""
    if not items:
        return "—"
    rows = format_html_join(
        "",
        "<li><code>{}</code> {} <small>({})</small></li>",
        ((item["pointer"], item["detail"], item["code"]) for item in items),
    )
    return format_html('<ul style="list-style:disc;padding-left:1.25rem">{}</ul>', rows)


def value_table(values: dict[str, Any]) -> str:
    """Return a table of timings. values: seconds by step."""
    if not values:
        return "—"
    rows = format_html_join(
        "",
        '<tr><td style="padding-right:1.5rem">{}</td><td style="text-align:right">{} s</td></tr>',
        ((name.replace("_", " "), f"{seconds:.3f}") for name, seconds in values.items()),
    )
    return format_html("<table>{}</table>", rows)
