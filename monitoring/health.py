"""What an orchestrator asks of the process."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def live(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process serves; touches neither disk nor database."""
    return HttpResponse(b'{"status":"pass"}', content_type="application/health+json")
