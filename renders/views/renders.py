"""Views of renders and of the credit estimate."""

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
from renders.views.submission import SubmittingViewSet, documents_render, merge_body, render_tag
from renders.waiting.polling import MAX_WAIT_S, parse_wait, wait_for_change

_METADATA_PARAMETER = OpenApiParameter(
    "metadata",
    {"type": "object", "additionalProperties": {"type": "string"}},
    style="deepObject",
    explode=True,
    description="Only renders whose metadata has these values: `metadata[order_id]=1881`.",
)

_WAIT_PARAMETER = OpenApiParameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S},
    description="Seconds to wait for a change of status before responding.",
)
_VERSION_1: list[Any] = [1]
_VERSION_2: list[Any] = [2]
# Version 1 has no batches: there the parameter is answered with 404.
_NO_BATCH = OpenApiParameter("batch", exclude=True)
_LISTED = Render.objects.for_serializer()


class RenderViewSet(ListModelMixin, SubmittingViewSet):
    """Renders of edits."""

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
        """Return the caller's renders, in lists without the columns that the serializer does not use."""
        return _LISTED.for_owner(self.request.user) if self.action == "list" else super().get_queryset()

    @extend_schema(parameters=[_METADATA_PARAMETER, _NO_BATCH], versions=_VERSION_1)
    @extend_schema(parameters=[_METADATA_PARAMETER], versions=_VERSION_2)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the caller's renders, newest first."""
        return super().list(request, *args, **kwargs)

    @documents_render(202, request=RenderCreateSerializer, reports=True)
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Submit a render; with `dry_run`, only validate and estimate it."""
        return self.submit(RenderCreateSerializer, RenderRequest())

    @extend_schema(request=RenderCreateSerializer, responses=ValidationResultSerializer)
    def validate(self, request: Request, **kwargs: Any) -> Response:
        """Validate an edit and estimate its cost."""
        return self.report(RenderCreateSerializer, RenderRequest())

    @extend_schema(versions=_VERSION_1)
    @extend_schema(parameters=[_WAIT_PARAMETER], versions=_VERSION_2)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Return a render."""
        if "wait" in request.query_params:
            self._wait(parse_wait(request.query_params["wait"]))
        return self._respond(self.get_object())

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete the output of a render; the render itself stays."""
        render = self.get_object()
        delete_output(render=render, begin=self.version_check(render))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @documents_render(200, 202)
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel a render: 200 if it is cancelled, 202 while a running one is being stopped."""
        render = cancel_render(render=self.get_object())
        stopping = render.status == RenderStatus.CANCELLING
        return self._respond(render, status.HTTP_202_ACCEPTED if stopping else status.HTTP_200_OK)

    @documents_render(202)
    @idempotent
    def retry(self, request: Request, **kwargs: Any) -> Response:
        """Submit the edit of a failed or cancelled render as a new render."""
        old = self.get_object()
        prepared = prepare_retry(render=old)
        response = self.once(lambda: self.accepted(accept_render(owner=old.owner, prepared=prepared, retry_of=old)))
        return self.respond_after_end(response)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def edit(self, request: Request, **kwargs: Any) -> Response:
        """Return the edit as it was submitted."""
        return Response(self.get_object().edit)

    @extend_schema(responses=LogSerializer)
    def log(self, request: Request, **kwargs: Any) -> Response:
        """Return the log of a render."""
        return Response(LogSerializer(self.get_object()).data)

    def find_row(self) -> Any:
        """Return the render of the URL, None if there is none."""
        if self.action != "retrieve":
            return super().find_row()
        account: Any = self.request.user
        return find_render(account.pk, self.kwargs["id"])

    def entity_tag(self, row: VersionedModel) -> EntityTag:
        """Return the tag of a render, or of its edit or log."""
        assert isinstance(row, Render)
        part = self.action if self.action in {"edit", "log"} else ""
        return render_tag(self.request, row, position=None if part else self._position_of(row), part=part)

    def _position_of(self, render: Render) -> int | None:
        """Return the queue position, cached for the request."""
        if self._position is None:
            self._position = queue_position(render)
        return self._position

    _position: int | None = None

    def _wait(self, seconds: float) -> None:
        """Wait for a change of status, unless the entity tag shows that the client's copy is outdated."""
        row = self.find_row()
        if row is None or not seconds:
            return
        if "If-None-Match" in self.request.headers:
            try:
                self.check_conditions(row)
            except NotModified:
                wait_for_change(row, seconds=seconds)
            return
        wait_for_change(row, seconds=seconds)

    def _respond(self, render: Render, code: int = status.HTTP_200_OK) -> Response:
        render.queue_position = self._position_of(render)
        return Response(self.get_serializer(render).data, code)


class CreditEstimateView(ApiView):
    """Credit estimates."""

    endpoints = {
        "post": Endpoint("credits:read"),
    }

    @extend_schema(request=RenderCreateSerializer, responses=CreditEstimateSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Estimate duration, frames and credits of an edit."""
        body = RenderCreateSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        prepared = prepare_render(owner=request.user, request=merge_body(RenderRequest(), body.validated_data))
        return Response(CreditEstimateSerializer(prepared.estimate).data)
