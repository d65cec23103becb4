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

from core.api.views import ApiView
from core.idempotency.views import idempotent
from renders.filters import RenderFilterSet
from renders.models import Render
from renders.requests import RenderRequest
from renders.selectors import queue_position
from renders.serializers.renders import (
    EstimateShape,
    LogShape,
    RenderShape,
    RenderShapeV1,
    ReportShape,
)
from renders.serializers.requests import RenderBody
from renders.services.cancel import cancel_render
from renders.services.prepare import prepare_render
from renders.services.storage import delete_output
from renders.services.submit import accept_render, prepare_retry
from renders.states import RenderStatus
from renders.views.submission import SubmittingViewSet, answers_render, merge_body

_METADATA_PARAMETER = OpenApiParameter(
    "metadata",
    {"type": "object", "additionalProperties": {"type": "string"}},
    style="deepObject",
    explode=True,
    description="Renders whose metadata has these values: `metadata[order_id]=1881`.",
)


class RenderViewSet(ListModelMixin, SubmittingViewSet):
    """Edits on their way to files."""

    queryset = Render.objects.all()
    filterset_class = RenderFilterSet
    ordering_fields = ("created_at",)
    serializers = {"default": RenderShape, "default_v1": RenderShapeV1}
    feature_parameters = {"retrieve": {"wait": "long_poll"}}
    scopes = {
        "list": "renders:read",
        "retrieve": "renders:read",
        "create": "renders:write",
        "destroy": "renders:write",
        "validate": "renders:read",
        "cancel": "renders:cancel",
        "retry": "renders:write",
        "edit": "renders:read",
        "log": "renders:read",
    }
    operations = {"create": "create_render", "retry": "create_render"}

    def get_queryset(self) -> QuerySet[Any]:
        """Return the caller's renders, in lists without their documents."""
        rows = super().get_queryset()
        if self.action in {"list", "retrieve"}:
            return rows.without_documents()  # type: ignore[attr-defined, no-any-return]
        return rows

    @extend_schema(parameters=[_METADATA_PARAMETER])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the caller's renders, newest first."""
        return super().list(request, *args, **kwargs)

    @answers_render(202, request=RenderBody, reports=True)
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Submit a render; with `dry_run`, only say what it would cost."""
        return self.submit(RenderBody, RenderRequest())

    @extend_schema(request=RenderBody, responses=ReportShape)
    def validate(self, request: Request, **kwargs: Any) -> Response:
        """Say what is wrong with an edit and what it would cost."""
        return self.report(RenderBody, RenderRequest())

    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Return one render."""
        return self._answer(self.get_object())

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete the output of a render; its record stays."""
        delete_output(render=self.get_object())
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
        return self.once(lambda: self.accepted(accept_render(owner=old.owner, prepared=prepared, retry_of=old)))

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def edit(self, request: Request, **kwargs: Any) -> Response:
        """Return the edit as it was sent."""
        return Response(self.get_object().edit)

    @extend_schema(responses=LogShape)
    def log(self, request: Request, **kwargs: Any) -> Response:
        """Return what happened while rendering."""
        return Response(LogShape(self.get_object()).data)

    def _answer(self, render: Render, code: int = status.HTTP_200_OK) -> Response:
        context = {**self.get_serializer_context(), "queue_position": queue_position(render)}
        shape = RenderShapeV1 if self._version() == 1 else RenderShape
        return Response(shape(render, context=context).data, code)


class CreditEstimateView(ApiView):
    """What a render would cost."""

    scopes = {"post": "credits:read"}

    @extend_schema(request=RenderBody, responses=EstimateShape)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Return duration, frames and credits of an edit."""
        body = RenderBody(data=request.data)
        body.is_valid(raise_exception=True)
        prepared = prepare_render(owner=request.user, request=merge_body(RenderRequest(), body.validated_data))
        return Response(EstimateShape(prepared.estimate).data)
