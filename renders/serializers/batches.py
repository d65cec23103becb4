"""Serializers of batches."""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.routing import absolute_url, api_path
from api.serializers import ConstantField, PublicIdField, ResourceSerializer, StrictSerializer, TimeField
from credits.pricing import format_credits
from renders.batch_requests import MAX_RENDERS
from renders.models import Batch, RenderPriority
from renders.selectors import BatchProgress
from renders.serializers.fields import EditField, MergeValuesField, MetadataField, RunAtField, StrictBooleanField
from renders.serializers.renders import CreditsSerializer, IssueSerializer
from renders.serializers.requests import RenderWebhookSerializer, member_error, require_edit_or_template
from renders.states import BatchStatus, RenderStatus


class BatchRowSerializer(StrictSerializer):
    """One row of a batch: the merge values of one render, and overrides of the shared options."""

    merge = MergeValuesField(required=False)
    project = PublicIdField("prj", required=False, allow_null=True)
    priority = serializers.ChoiceField(choices=RenderPriority.labels, required=False)
    run_at = RunAtField(required=False, allow_null=True)
    webhook = RenderWebhookSerializer(required=False, allow_null=True)
    metadata = MetadataField(required=False)


class BatchItemSerializer(BatchRowSerializer):
    """One render of a batch, with its own edit or template."""

    edit = EditField(required=False)
    template = PublicIdField("tpl", required=False, allow_null=True)
    strict = StrictBooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require exactly one of edit and template."""
        require_edit_or_template(attrs)
        return attrs


class BatchCreateSerializer(StrictSerializer):
    """POST /batches: rows of merge values for one template or edit, or a list of renders; and shared options."""

    edit = EditField(required=False)
    template = PublicIdField("tpl", required=False, allow_null=True)
    rows = serializers.ListField(child=BatchRowSerializer(), min_length=1, max_length=MAX_RENDERS, required=False)
    renders = serializers.ListField(child=BatchItemSerializer(), min_length=1, max_length=MAX_RENDERS, required=False)
    project = PublicIdField("prj", required=False, allow_null=True, default=None)
    priority = serializers.ChoiceField(
        choices=RenderPriority.labels, required=False, default=RenderPriority.NORMAL.label
    )
    run_at = RunAtField(required=False, allow_null=True, default=None)
    webhook = RenderWebhookSerializer(required=False, allow_null=True, default=None)
    metadata = MetadataField(required=False, default=dict)
    strict = StrictBooleanField(required=False, default=False)
    dry_run = StrictBooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require rows with one edit or template, or renders that each have their own."""
        if "rows" in attrs and "renders" in attrs:
            raise member_error("renders", "Give rows or renders, not both.", "conflict")
        if "rows" in attrs:
            require_edit_or_template(attrs)
        elif "renders" not in attrs:
            raise member_error("rows", "Rows (or renders) are required.", "required")
        else:
            for name in ("edit", "template"):
                if attrs.get(name) is not None:
                    raise member_error(name, "Give it in each of the renders instead.", "conflict")
        return attrs


class CountsSerializer(serializers.Serializer[Any]):
    """Number of renders of a batch in each status."""

    total = serializers.IntegerField()
    scheduled = serializers.IntegerField()
    queued = serializers.IntegerField()
    fetching = serializers.IntegerField()
    rendering = serializers.IntegerField()
    saving = serializers.IntegerField()
    cancelling = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class BatchLinksSerializer(serializers.Serializer[Any]):
    """URLs of related resources."""

    self = serializers.CharField()
    renders = serializers.CharField()
    cancel = serializers.CharField()


class BatchSerializer(ResourceSerializer):
    """A batch in responses. context: `batch_progress`, the progress of batches by id."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = ConstantField("batch")
    status = serializers.ChoiceField(choices=BatchStatus.values)
    percent = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()
    project = PublicIdField("prj", source="project_id", allow_null=True)
    template = PublicIdField("tpl", source="template_id", allow_null=True)
    credits = serializers.SerializerMethodField()
    metadata = MetadataField()
    created_at = TimeField()
    cancel_requested_at = TimeField(allow_null=True)
    finished_at = TimeField(allow_null=True)
    links = serializers.SerializerMethodField()

    def _progress(self, row: Batch) -> BatchProgress:
        progress: BatchProgress = self.context["batch_progress"][row.pk]
        return progress

    @extend_schema_field({"type": "number", "minimum": 0, "maximum": 100})
    def get_percent(self, row: Batch) -> float:
        """Return the progress of the whole batch, 0 to 100."""
        return self._progress(row).percent

    @extend_schema_field(CountsSerializer)
    def get_counts(self, row: Batch) -> dict[str, int]:
        """Return the number of renders in each status, and the total."""
        counts = self._progress(row).counts
        return {"total": row.total, **{status: counts[status] for status in RenderStatus.values}}

    @extend_schema_field(CreditsSerializer)
    def get_credits(self, row: Batch) -> dict[str, Any]:
        """Return the reserved and the charged credits of all renders, as decimal strings."""
        return {"reserved": format_credits(row.credits_reserved), "charged": format_credits(row.credits_charged)}

    @extend_schema_field(BatchLinksSerializer)
    def get_links(self, row: Batch) -> dict[str, str]:
        """Return the absolute URLs of the batch and its renders."""
        batches, renders = self._base_urls
        own = f"{batches}/{row.public_id}"
        return {"self": own, "renders": f"{renders}?batch={row.public_id}", "cancel": f"{own}/cancel"}

    @cached_property
    def _base_urls(self) -> tuple[str, str]:
        """The absolute URLs of the lists of batches and renders, in the version of the request."""
        request = self.context.get("request")
        version = getattr(request, "version", 2) or 2
        batches, renders = (absolute_url(request, api_path(name, version)) for name in ("batch-list", "render-list"))
        return batches, renders


class BatchEstimateSerializer(serializers.Serializer[Any]):
    """Size and cost of a batch: the sums of its renders."""

    renders = serializers.IntegerField()
    duration_s = serializers.FloatField()
    frames = serializers.IntegerField()
    credits = serializers.SerializerMethodField()
    exact = serializers.BooleanField()

    @extend_schema_field({"type": "string", "example": "200.00"})
    def get_credits(self, row: Any) -> str:
        """Return the cost as a decimal string."""
        return format_credits(row.credits)


class BatchValidationResultSerializer(serializers.Serializer[Any]):
    """The outcome of a dry run."""

    valid = serializers.BooleanField()
    errors = IssueSerializer(many=True)  # type: ignore[assignment]
    warnings = IssueSerializer(many=True)
    estimate = BatchEstimateSerializer(allow_null=True)
