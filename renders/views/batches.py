"""Batches: many renders in one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.plans import limits_of
from api.endpoints import Endpoint
from api.idempotency.views import IdempotentMixin, idempotent
from api.problems import flatten_errors
from api.routing import api_path
from api.views import ApiViewSet
from core.exceptions import DomainError, Unprocessable
from renders.batch_requests import BatchItem, BatchRequest, BatchValidationResult
from renders.filters import BatchFilterSet
from renders.models import Batch, RenderPriority, Template
from renders.requests import RenderRequest
from renders.selectors import batch_progress
from renders.serializers.batches import BatchCreateSerializer, BatchSerializer, BatchValidationResultSerializer
from renders.serializers.fields import MAX_METADATA_KEYS
from renders.services.batch_cancel import cancel_batch
from renders.services.batches import accept_batch, check_batch, prepare_batch
from renders.states import BatchStatus


class BatchViewSet(IdempotentMixin, ListModelMixin, ApiViewSet):
    """Renders that are accepted or refused together."""

    queryset = Batch.objects.all()
    filterset_class = BatchFilterSet
    ordering_fields = ("created_at",)
    serializers = {"default": BatchSerializer}
    endpoints = {
        "list": Endpoint("renders:read"),
        "retrieve": Endpoint("renders:read", row_etag=True),
        "create": Endpoint("renders:write", operation="create_render"),
        "cancel": Endpoint("renders:cancel"),
    }

    def units_of(self, request: Request) -> int:
        """Count a batch as the renders that it asks for; one that no hour has room for as one: it is refused."""
        if self.action != "create":
            return 1
        try:
            number = _count(request.data)
        except (APIException, DomainError) as unreadable:
            # Refused when its turn comes: a body is not looked at before credential, rate and scope.
            self._unreadable = unreadable
            return 1
        return number if number <= self._most(request) else 1

    _unreadable: Exception | None = None

    def _most(self, request: Request) -> int:
        """Return how many renders the caller's plan allows in an hour, and so in one batch."""
        user = cast("User", request.user)
        by_renders = limits_of(user.plan).by_renders if settings.RENDEROWL_RATE_LIMITS else None
        return by_renders.quota if by_renders is not None else 1_000_000

    def get_serializer_context(self) -> dict[str, Any]:
        """Add how far the batches of the answer are."""
        return {**super().get_serializer_context(), "batch_progress": self._progress}

    _progress: Mapping[Any, Any] = {}

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return the page, having found out how far its batches are, in one go."""
        rows = super().paginate_queryset(queryset)
        self._progress = batch_progress(rows or [])
        return rows

    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Return one batch with the counts of its renders."""
        return self._answer(self.get_object())

    @extend_schema(
        request=BatchCreateSerializer, responses={200: BatchValidationResultSerializer, 202: BatchSerializer}
    )
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Submit many renders, all or none; with `dry_run`, only say what they would cost."""
        if self._unreadable is not None:
            raise self._unreadable
        body = BatchCreateSerializer(data=request.data)
        if not body.is_valid() and _wants_report(request.data):
            refused = BatchValidationResult(False, [*flatten_errors(body.errors)][: Unprocessable.MAX_ERRORS], [], None)
            return self.once(lambda: Response(BatchValidationResultSerializer(refused).data))
        body.is_valid(raise_exception=True)
        wanted = self._wanted(body.validated_data)
        if body.validated_data["dry_run"]:
            report = check_batch(owner=request.user, request=wanted)
            return self.once(lambda: Response(BatchValidationResultSerializer(report).data))
        prepared = prepare_batch(owner=request.user, request=wanted)
        return self.once(lambda: self._accepted(accept_batch(owner=request.user, prepared=prepared)))

    @extend_schema(request=None, responses={200: BatchSerializer, 202: BatchSerializer})
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel all renders that have not ended: 200 if all have now, 202 while running ones are being stopped."""
        batch = cancel_batch(batch=self.get_object())
        return self._answer(batch, 200 if batch.status == BatchStatus.COMPLETED else 202)

    def _accepted(self, batch: Batch) -> Response:
        location = api_path("batch-detail", self._version(), id=batch.public_id)
        return self._answer(batch, status.HTTP_202_ACCEPTED, headers={"Location": location})

    def _answer(self, batch: Batch, code: int = 200, headers: dict[str, str] | None = None) -> Response:
        self._progress = batch_progress([batch])
        return Response(BatchSerializer(batch, context=self.get_serializer_context()).data, code, headers=headers)

    def _wanted(self, body: Mapping[str, Any]) -> BatchRequest:
        """Return what a checked body asks for.

        Raises Unprocessable for more renders than the plan allows, an unknown template, too much metadata.
        """
        member = "rows" if "rows" in body else "renders"
        most = self._most(self.request)
        if len(body[member]) > most:
            detail = f"The plan allows {most} renders an hour, so a batch of at most {most}."
            raise Unprocessable([{"pointer": f"/{member}", "code": "out_of_range", "detail": detail}])
        template = self._template(body)
        crowded = [
            f"/{member}/{number}/metadata"
            for number, item in enumerate(body[member])
            if len({**body["metadata"], **item.get("metadata", {})}) > MAX_METADATA_KEYS
        ]
        if crowded:
            detail = f"With the batch's own metadata at most {MAX_METADATA_KEYS} keys are kept."
            raise Unprocessable([{"pointer": place, "code": "out_of_range", "detail": detail} for place in crowded])
        items = [_item_of(body, item, template) for item in body[member]]
        return BatchRequest(member, items, template, body["project"], body["metadata"])

    def _template(self, body: Mapping[str, Any]) -> Template | None:
        """Return the template of all rows.

        Raises Unprocessable.
        """
        if "rows" not in body or body.get("template") is None:
            return None
        found: Template | None = Template.objects.for_owner(self.request.user).filter(pk=body["template"]).first()
        if found is None:
            detail = "There is no such template."
            raise Unprocessable([{"pointer": "/template", "code": "not_found", "detail": detail}])
        return found


def _item_of(shared: Mapping[str, Any], item: Mapping[str, Any], template: Template | None) -> BatchItem:
    """Return one render's request: what it says itself, and the batch's word for the rest."""
    both = {**shared, **item}
    request = RenderRequest(
        edit=both.get("edit") if template is None else None,
        template=template,
        template_id=None if template is not None else item.get("template"),
        merge=item.get("merge", {}),
        project_id=both["project"],
        priority=RenderPriority[both["priority"].upper()],
        run_at=both["run_at"],
        webhook=both["webhook"],
        metadata={**shared["metadata"], **item.get("metadata", {})},
        strict=both["strict"],
    )
    # A merge value that is missing is missing in the row.
    return BatchItem(request, frozenset(item) | {"merge"})


def _count(data: Any) -> int:
    """Return how many renders an unchecked body asks for, at least 1."""
    lists = [data.get(name) for name in ("rows", "renders")] if isinstance(data, dict) else []
    return max([1, *(len(found) for found in lists if isinstance(found, list))])


def _wants_report(data: Any) -> bool:
    """Return whether an unacceptable body is a dry run that a report can be made of."""
    return isinstance(data, dict) and data.get("dry_run") is True and ("rows" in data or "renders" in data)
