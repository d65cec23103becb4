"""Renders: submit, watch, stop, repeat."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import NotModified
from api.endpoints import Endpoint
from api.etags import EntityTag
from api.idempotency.views import idempotent
from api.views import ApiView
from core.models import VersionedModel
from renders.filters import RenderFilterSet
from renders.models import Render
from renders.requests import RenderRequest
from renders.selectors import find_render, queue_position
from renders.serializers.renders import (
    CreditEstimateSerializer,
    LogSerializer,
    RenderSerializer,
    RenderV1Serializer,
    ValidationResultSerializer,
)
from renders.serializers.requests import RenderCreateSerializer
from renders.services.cancel import cancel_render
from renders.services.prepare import prepare_render
from renders.services.storage import delete_output
from renders.services.submit import accept_render, prepare_retry
from renders.states import RenderStatus
from renders.views.submission import SubmittingViewSet, answers_render, merge_body, render_tag
from renders.waiting.polling import MAX_WAIT_S, parse_wait, wait_for_change

_METADATA_PARAMETER = OpenApiParameter(
    "metadata",
    {"type": "object", "additionalProperties": {"type": "string"}},
    style="deepObject",
    explode=True,
    description="Renders whose metadata has these values: `metadata[order_id]=1881`.",
)

# Version 1 has no batches: there the parameter answers 404.
_WAIT_PARAMETER = OpenApiParameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S},
    description="Seconds to wait for another status than the present one before the answer.",
)
_VERSION_1: list[Any] = [1]
_VERSION_2: list[Any] = [2]
_NO_BATCH = OpenApiParameter("batch", exclude=True)
_LISTED = Render.objects.for_serializer()


class RenderViewSet(ListModelMixin, SubmittingViewSet):
    """Edits on their way to files."""

    queryset = Render.objects.all()
    filterset_class = RenderFilterSet
    ordering_fields = ("created_at",)
    serializers = {"default": RenderSerializer, "default_v1": RenderV1Serializer}
    endpoints = {
        "list": Endpoint("renders:read", cache_tags=("renders",), feature_parameters={"batch": "batches"}),
        "retrieve": Endpoint("renders:read", row_etag=True, feature_parameters={"wait": "long_poll"}),
        "create": Endpoint("renders:write", operation="create_render"),
        "destroy": Endpoint("renders:write"),
        "validate": Endpoint("renders:read"),
        "cancel": Endpoint("renders:cancel"),
        "retry": Endpoint("renders:write", operation="create_render"),
        "edit": Endpoint("renders:read", row_etag=True),
        "log": Endpoint("renders:read", row_etag=True),
    }

    def get_queryset(self) -> QuerySet[Any]:
        """Return the caller's renders, in lists with the columns that show."""
        return _LISTED.for_owner(self.request.user) if self.action == "list" else super().get_queryset()

    @extend_schema(parameters=[_METADATA_PARAMETER, _NO_BATCH], versions=_VERSION_1)
    @extend_schema(parameters=[_METADATA_PARAMETER], versions=_VERSION_2)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the caller's renders, newest first."""
        return super().list(request, *args, **kwargs)

    @answers_render(202, request=RenderCreateSerializer, reports=True)
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Submit a render; with `dry_run`, only say what it would cost."""
        return self.submit(RenderCreateSerializer, RenderRequest())

    @extend_schema(request=RenderCreateSerializer, responses=ValidationResultSerializer)
    def validate(self, request: Request, **kwargs: Any) -> Response:
        """Say what is wrong with an edit and what it would cost."""
        return self.report(RenderCreateSerializer, RenderRequest())

    @extend_schema(versions=_VERSION_1)
    @extend_schema(parameters=[_WAIT_PARAMETER], versions=_VERSION_2)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Return one render."""
        if "wait" in request.query_params:
            self._wait(parse_wait(request.query_params["wait"]))
        return self._answer(self.get_object())

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete the output of a render; its record stays."""
        render = self.get_object()
        delete_output(render=render, begin=self.version_check(render))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @answers_render(200, 202)
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Stop a render: 200 if it is cancelled, 202 while a running one is being stopped."""
        render = cancel_render(render=self.get_object())
        stopping = render.status == RenderStatus.CANCELLING
        return self._answer(render, status.HTTP_202_ACCEPTED if stopping else status.HTTP_200_OK)

    @answers_render(202)
    @idempotent
    def retry(self, request: Request, **kwargs: Any) -> Response:
        """Submit the same edit again, as a new render."""
        old = self.get_object()
        prepared = prepare_retry(render=old)
        response = self.once(lambda: self.accepted(accept_render(owner=old.owner, prepared=prepared, retry_of=old)))
        return self.answer_at_end(response)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def edit(self, request: Request, **kwargs: Any) -> Response:
        """Return the edit as it was sent."""
        return Response(self.get_object().edit)

    @extend_schema(responses=LogSerializer)
    def log(self, request: Request, **kwargs: Any) -> Response:
        """Return what happened while rendering."""
        return Response(LogSerializer(self.get_object()).data)

    def find_row(self) -> Any:
        """Return the render of the URL, None where there is none."""
        if self.action != "retrieve":
            return super().find_row()
        account: Any = self.request.user
        return find_render(account.pk, self.kwargs["id"])

    def entity_tag(self, row: VersionedModel) -> EntityTag:
        """Return the tag of a render, or of the part of it that is asked for."""
        assert isinstance(row, Render)
        part = self.action if self.action in {"edit", "log"} else ""
        return render_tag(self.request, row, position=None if part else self._place_of(row), part=part or "")

    def _place_of(self, render: Render) -> int | None:
        """Return the place in the queue, asked for once a request."""
        if self._place is None:
            self._place = queue_position(render)
        return self._place

    _place: int | None = None

    def _wait(self, seconds: float) -> None:
        """Hold the answer back while the client knows all there is to know."""
        known = self.find_row()
        if known is None or not seconds:
            return
        if "If-None-Match" in self.request.headers:
            try:
                self.check_conditions(known)
            except NotModified:
                wait_for_change(known, seconds=seconds)
            return
        wait_for_change(known, seconds=seconds)

    def _answer(self, render: Render, code: int = status.HTTP_200_OK) -> Response:
        render.queue_position = self._place_of(render)
        return Response(self.get_serializer(render).data, code)


class CreditEstimateView(ApiView):
    """What a render would cost."""

    endpoints = {
        "post": Endpoint("credits:read"),
    }

    @extend_schema(request=RenderCreateSerializer, responses=CreditEstimateSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Return duration, frames and credits of an edit."""
        body = RenderCreateSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        prepared = prepare_render(owner=request.user, request=merge_body(RenderRequest(), body.validated_data))
        return Response(CreditEstimateSerializer(prepared.estimate).data)
