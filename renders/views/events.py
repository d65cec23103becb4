"""View of the event stream of a render."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.views import ApiViewSet
from core.exceptions import DomainError, InvalidHeader
from renders.models import Render
from renders.serializers.renders import RenderSerializer
from renders.waiting.progress import ProgressSnapshot
from renders.waiting.stream import EventStream
from renders.waiting.waiter_slots import waiter_slots
from renders.waiting.watcher import watcher

LAST_EVENT_ID = "Last-Event-ID"
# Members of the render in the final event, besides its status.
_END = ("output", "error", "credits", "finished_at")


class RenderEventsViewSet(ApiViewSet):
    """Server-sent events of a render."""

    queryset = Render.objects.all()
    endpoints = {
        "events": Endpoint("renders:read"),
    }
    serializers = {"default": RenderSerializer}

    def get_queryset(self) -> Any:
        """Return the caller's renders, without the columns that the serializer does not use."""
        return super().get_queryset().for_serializer()  # type: ignore[attr-defined]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """Accept any Accept header: the response is a stream, or a problem document."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                LAST_EVENT_ID,
                {"type": "string", "pattern": r"^[0-9]{1,19}$"},
                location=OpenApiParameter.HEADER,
                description="The id of the last received event; the stream continues after it.",
            )
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR, 204: None},
    )
    def events(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """Stream status and progress until the render has ended; 204 if the client has already seen the end."""
        render: Render = self.get_object()
        first, seen = ProgressSnapshot.of(render), _last_event_id(request)
        if first.is_terminal and seen is not None and seen >= first.position:
            # 204 tells an EventSource not to reconnect.
            return Response(status=204, headers={"Cache-Control": "no-store"})
        stream = EventStream(
            first,
            account_id=render.owner_id,
            seen=seen,
            is_allowed=lambda: self._is_allowed(request),
            end_of=lambda: self._end_of(render),
            slots=waiter_slots(),
            watcher=watcher(),
        )
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(stream, content_type="text/event-stream; charset=utf-8", headers=headers)

    def _is_allowed(self, request: Request) -> bool:
        """Return whether the credential is still accepted."""
        # A new request from the same headers, as the original one caches its authentication.
        new_request = Request(WSGIRequest(request.META), authenticators=self.get_authenticators())
        try:
            self.check_permissions(new_request)
            return bool(new_request.user.is_authenticated)
        except (APIException, DomainError, DatabaseError):
            # Also if the database is unavailable: the client can reconnect.
            return False

    def _end_of(self, render: Render) -> dict[str, Any]:
        ended = self.get_queryset().get(pk=render.pk)
        body = self.get_serializer(ended).data
        return {name: body[name] for name in _END}


def _last_event_id(request: Request) -> int | None:
    """Return the id after which a client continues. Raises InvalidHeader for anything but an event id."""
    text = request.headers.get(LAST_EVENT_ID, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise InvalidHeader(LAST_EVENT_ID, f"{LAST_EVENT_ID} is not the id of an event.")
    return int(text)
