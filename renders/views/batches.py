"""Views of batches."""

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
    """Batches of renders, which are accepted or refused as a whole."""

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
        """Charge a batch as its number of renders; one over the limit of the plan as 1, as it is refused."""
        if self.action != "create":
            return 1
        try:
            number = _count_renders(request.data)
        except (APIException, DomainError) as unreadable:
            # Raised in `create`: credential, rate and scope are refused before the body.
            self._unreadable = unreadable
            return 1
        return number if number <= self._max_renders(request) else 1

    _unreadable: Exception | None = None

    def _max_renders(self, request: Request) -> int:
        """Return how many renders per hour the caller's plan allows, and so in one batch."""
        user = cast("User", request.user)
        by_renders = limits_of(user.plan).by_renders if settings.RENDEROWL_RATE_LIMITS else None
        return by_renders.quota if by_renders is not None else 1_000_000

    def get_serializer_context(self) -> dict[str, Any]:
        """Add the progress of the batches in the response."""
        return {**super().get_serializer_context(), "batch_progress": self._progress}

    _progress: Mapping[Any, Any] = {}

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return the page, after reading the progress of all its batches at once."""
        rows = super().paginate_queryset(queryset)
        self._progress = batch_progress(rows or [])
        return rows

    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Return a batch with the counts of its renders."""
        return self._respond(self.get_object())

    @extend_schema(
        request=BatchCreateSerializer, responses={200: BatchValidationResultSerializer, 202: BatchSerializer}
    )
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Submit many renders, all or none; with `dry_run`, only validate and estimate them."""
        if self._unreadable is not None:
            raise self._unreadable
        body = BatchCreateSerializer(data=request.data)
        if not body.is_valid() and _wants_report(request.data):
            refused = BatchValidationResult(False, [*flatten_errors(body.errors)][: Unprocessable.MAX_ERRORS], [], None)
            return self.once(lambda: Response(BatchValidationResultSerializer(refused).data))
        body.is_valid(raise_exception=True)
        batch_request = self._batch_request(body.validated_data)
        if body.validated_data["dry_run"]:
            report = check_batch(owner=request.user, request=batch_request)
            return self.once(lambda: Response(BatchValidationResultSerializer(report).data))
        prepared = prepare_batch(owner=request.user, request=batch_request)
        return self.once(lambda: self._accepted(accept_batch(owner=request.user, prepared=prepared)))

    @extend_schema(request=None, responses={200: BatchSerializer, 202: BatchSerializer})
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel the unfinished renders: 200 if all have ended, 202 while running ones are being stopped."""
        batch = cancel_batch(batch=self.get_object())
        return self._respond(batch, 200 if batch.status == BatchStatus.COMPLETED else 202)

    def _accepted(self, batch: Batch) -> Response:
        location = api_path("batch-detail", self._version(), id=batch.public_id)
        return self._respond(batch, status.HTTP_202_ACCEPTED, headers={"Location": location})

    def _respond(self, batch: Batch, code: int = 200, headers: dict[str, str] | None = None) -> Response:
        self._progress = batch_progress([batch])
        return Response(BatchSerializer(batch, context=self.get_serializer_context()).data, code, headers=headers)

    def _batch_request(self, body: Mapping[str, Any]) -> BatchRequest:
        """Return the request in a validated body, or raise Unprocessable for what the serializer cannot check."""
        member = "rows" if "rows" in body else "renders"
        limit = self._max_renders(self.request)
        if len(body[member]) > limit:
            detail = f"The plan allows {limit} renders an hour, so a batch of at most {limit}."
            raise Unprocessable([{"pointer": f"/{member}", "code": "out_of_range", "detail": detail}])
        template = self._template(body)
        oversized = [
            f"/{member}/{number}/metadata"
            for number, item in enumerate(body[member])
            if len({**body["metadata"], **item.get("metadata", {})}) > MAX_METADATA_KEYS
        ]
        if oversized:
            detail = f"At most {MAX_METADATA_KEYS} keys are allowed, including the metadata of the batch."
            raise Unprocessable([{"pointer": place, "code": "out_of_range", "detail": detail} for place in oversized])
        items = [_item_of(body, item, template) for item in body[member]]
        return BatchRequest(member, items, template, body["project"], body["metadata"])

    def _template(self, body: Mapping[str, Any]) -> Template | None:
        """Return the shared template of the rows, or raise Unprocessable."""
        if "rows" not in body or body.get("template") is None:
            return None
        template: Template | None = Template.objects.for_owner(self.request.user).filter(pk=body["template"]).first()
        if template is None:
            detail = "There is no such template."
            raise Unprocessable([{"pointer": "/template", "code": "not_found", "detail": detail}])
        return template


def _item_of(shared: Mapping[str, Any], item: Mapping[str, Any], template: Template | None) -> BatchItem:
    """Return the request for one render: its own members, and those of the batch for the rest."""
    merged = {**shared, **item}
    request = RenderRequest(
        edit=merged.get("edit") if template is None else None,
        template=template,
        template_id=None if template is not None else item.get("template"),
        merge=item.get("merge", {}),
        project_id=merged["project"],
        priority=RenderPriority[merged["priority"].upper()],
        run_at=merged["run_at"],
        webhook=merged["webhook"],
        metadata={**shared["metadata"], **item.get("metadata", {})},
        strict=merged["strict"],
    )
    # A missing merge value is an error of the row, not of the batch.
    return BatchItem(request, frozenset(item) | {"merge"})


def _count_renders(data: Any) -> int:
    """Return the number of renders in an unvalidated body, at least 1."""
    lists = [data.get(name) for name in ("rows", "renders")] if isinstance(data, dict) else []
    return max([1, *(len(found) for found in lists if isinstance(found, list))])


def _wants_report(data: Any) -> bool:
    """Return whether an invalid body is a dry run, to be answered with a report."""
    return isinstance(data, dict) and data.get("dry_run") is True and ("rows" in data or "renders" in data)
