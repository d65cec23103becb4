"""Models of projects, templates, batches, renders and the leases and messages of external workers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models.base import ModelState
from django.utils import timezone

from core.cache_tags.registry import cache_tagged
from core.indexes import NamedIndex
from core.models import BaseModel, VersionedModel
from renders.states import ACTIVE, TERMINAL, BatchStatus, RenderStatus


class RenderPriority(models.IntegerChoices):
    """Priority of a render; the values are those of the queue, lowest first."""

    URGENT = 0, "urgent"
    HIGH = 1, "high"
    NORMAL = 2, "normal"
    LOW = 3, "low"


class OwnedQuerySet(models.QuerySet[Any]):
    """QuerySet of rows with an `owner`."""

    def for_owner(self, user: Any) -> Self:
        """Return the rows that the user owns."""
        return self.filter(owner=user)


# Long columns, which most queries do not need.
LARGE_COLUMNS = ("edit", "merge", "log", "timings")
# Columns that no response shows.
INTERNAL_COLUMNS = frozenset(
    {"template_version", "job_id", "strict", "webhook", "credits_topped_up", "run_at", "cancel_requested_at"}
)


class RenderQuerySet(OwnedQuerySet):
    """QuerySet of renders."""

    def active(self) -> Self:
        """Return the renders that have not ended."""
        return self.filter(status__in=ACTIVE)

    def without_large_columns(self) -> Self:
        """Defer the long columns."""
        return self.defer(*LARGE_COLUMNS)

    def for_serializer(self) -> Self:
        """Defer the columns that neither the serializer nor the entity tag uses."""
        return self.defer(*LARGE_COLUMNS, *INTERNAL_COLUMNS)


@cache_tagged("projects", owner="owner_id")
class Project(VersionedModel):
    """A folder for renders, templates and assets."""

    ID_PREFIX = "prj"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=2000)
    metadata = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name


@cache_tagged("templates", owner="owner_id")
class Template(VersionedModel):
    """A reusable edit with placeholders. Each change of the edit or its defaults adds a version.

    edit, merge_defaults: of the current version, which is number `version`.
    """

    ID_PREFIX = "tpl"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="templates")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.SET_NULL, related_name="templates")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=2000)
    edit = models.JSONField()
    merge_defaults = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} (version {self.version})"


class TemplateVersion(BaseModel):
    """A version of a template. Never changed."""

    ID_PREFIX = "tpv"

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    edit = models.JSONField()
    merge_defaults = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["template", "number"], name="renders_template_version_once")
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class Batch(BaseModel):
    """Renders that were submitted in one request and accepted as a whole.

    pending, succeeded, failed, cancelled: numbers of renders, which always add up to `total`.
    credits_reserved, credits_charged: hundredths, of all its renders. metadata: shared by every render.
    """

    ID_PREFIX = "bat"

    # Two of the indexes below begin with this column.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="batches", db_index=False
    )
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.SET_NULL, related_name="batches")
    template = models.ForeignKey(Template, null=True, blank=True, on_delete=models.SET_NULL, related_name="batches")
    metadata = models.JSONField(default=dict, blank=True)

    status = models.CharField(max_length=16, choices=BatchStatus.choices, default=BatchStatus.PROCESSING)
    total = models.PositiveIntegerField()
    pending = models.PositiveIntegerField()
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    credits_reserved = models.PositiveBigIntegerField(default=0)
    credits_charged = models.PositiveBigIntegerField(default=0)

    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "batches"
        ordering: ClassVar = ["-created_at", "-id"]
        permissions: ClassVar = [("cancel_batch", "Can cancel batches")]
        indexes: ClassVar = [
            # GET /batches of one account, newest first, and its cursors.
            NamedIndex(fields=["owner", "created_at", "id"], name="idx_batches_user_created"),
            # GET /batches?status= of one account.
            NamedIndex(fields=["owner", "status", "created_at"], name="idx_batches_user_status"),
            # The admin's list, newest first.
            NamedIndex(fields=["created_at", "id"], name="idx_batches_created"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="renders_batch_counts_add_up",
                condition=models.Q(
                    total=models.F("pending") + models.F("succeeded") + models.F("failed") + models.F("cancelled")
                ),
            ),
            models.CheckConstraint(
                name="renders_batch_completed_has_time",
                condition=models.Q(status=BatchStatus.COMPLETED, pending=0, finished_at__isnull=False)
                | (~models.Q(status=BatchStatus.COMPLETED) & models.Q(finished_at__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


@cache_tagged("renders", owner="owner_id")
class Render(VersionedModel):
    """The rendering of one edit to one file.

    edit, merge: as the client sent them; the edit of a template is copied, so that later versions do not affect it.
    attempt: the number of the job's attempt, which fences off a worker that was presumed dead.
    credits_reserved, credits_charged: hundredths; credits_topped_up is the part of the reservation that was added when
        the worker had probed sources of unknown length. error, warnings, notes: as the API shows them.
    """

    ID_PREFIX = "rnd"

    # No indexes of their own: composite ones below begin with owner and with project.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="renders", db_index=False
    )
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.SET_NULL, related_name="renders", db_index=False
    )
    template = models.ForeignKey(Template, null=True, blank=True, on_delete=models.SET_NULL, related_name="renders")
    template_version = models.PositiveIntegerField(null=True, blank=True)
    # None for a retry: the batch has already counted the render that is retried.
    batch = models.ForeignKey(
        Batch, null=True, blank=True, on_delete=models.SET_NULL, related_name="renders", db_index=False
    )
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries")
    job_id = models.UUIDField(null=True, blank=True, editable=False)

    edit = models.JSONField()
    merge = models.JSONField(default=dict, blank=True)
    strict = models.BooleanField(default=False)
    priority = models.PositiveSmallIntegerField(choices=RenderPriority.choices, default=RenderPriority.NORMAL)
    metadata = models.JSONField(default=dict, blank=True)
    webhook = models.JSONField(null=True, blank=True)

    status = models.CharField(max_length=16, choices=RenderStatus.choices, default=RenderStatus.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=3)
    percent = models.FloatField(default=0.0)
    frame = models.PositiveIntegerField(default=0)
    total_frames = models.PositiveIntegerField(null=True, blank=True)
    speed_fps = models.FloatField(null=True, blank=True)
    eta_s = models.FloatField(null=True, blank=True)
    progress_at = models.DateTimeField(null=True, blank=True)

    output_format = models.CharField(max_length=8, blank=True)
    output_width = models.PositiveIntegerField(null=True, blank=True)
    output_height = models.PositiveIntegerField(null=True, blank=True)
    output_fps = models.FloatField(null=True, blank=True)
    output_duration_s = models.FloatField(null=True, blank=True)
    output_size_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    output_sha256 = models.CharField(max_length=64, blank=True)
    output_key = models.CharField(max_length=300, blank=True)
    poster_key = models.CharField(max_length=300, blank=True)
    thumbnail_key = models.CharField(max_length=300, blank=True)
    output_deleted_at = models.DateTimeField(null=True, blank=True)

    credits_reserved = models.PositiveBigIntegerField(default=0)
    credits_topped_up = models.PositiveBigIntegerField(default=0)
    credits_charged = models.PositiveBigIntegerField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    notes = models.JSONField(default=list, blank=True)
    timings = models.JSONField(default=dict, blank=True)
    log = models.TextField(blank=True)

    run_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    queue_position: int | None = None  # not a column: set by the view that shows a single render

    objects = RenderQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        permissions: ClassVar = [
            ("cancel_render", "Can cancel renders"),
            ("retry_render", "Can retry renders"),
            ("delete_render_output", "Can delete the outputs of renders"),
        ]
        indexes: ClassVar = [
            # The admin's list by status, the housekeeping of due and stale renders, and the queue position.
            NamedIndex(fields=["status", "created_at"], name="idx_renders_status_created"),
            # GET /renders?status= of one account.
            NamedIndex(fields=["owner", "status", "created_at"], name="idx_renders_user_status"),
            # GET /renders of one account, newest first, and its cursors.
            NamedIndex(fields=["owner", "created_at", "id"], name="idx_renders_user_created"),
            # GET /renders?project=, and with it ?status=.
            NamedIndex(fields=["project", "status", "created_at"], name="idx_renders_project_status"),
            # GET /renders?batch=, newest first.
            NamedIndex(
                fields=["batch", "created_at", "id"],
                name="idx_renders_batch_created",
                condition=models.Q(batch__isnull=False),
            ),
            # The counts of a batch by status (index-only), and its renders to cancel.
            NamedIndex(
                fields=["batch", "status"], name="idx_renders_batch_status", condition=models.Q(batch__isnull=False)
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="renders_ended_has_time",
                condition=models.Q(status__in=sorted(TERMINAL), finished_at__isnull=False)
                | (~models.Q(status__in=sorted(TERMINAL)) & models.Q(finished_at__isnull=True)),
            )
        ]

    def __str__(self) -> str:
        return self.public_id

    @classmethod
    def from_db(  # type: ignore[override]  # the stubs have the signature of Django 6.1
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Self:
        """Build an instance from a row, with the columns that were not read deferred.

        Unlike Django's method, this skips `__init__`, which searches each of 48 columns among those that were read and
        sends two signals: half of the time that a list of renders takes.
        """
        instance = cls.__new__(cls)
        instance.__dict__.update(zip(field_names, values, strict=True))
        state = instance._state = ModelState()  # noqa: SLF001 - as `Model.from_db` does
        state.adding, state.db = False, db
        return instance

    @property
    def reference(self) -> str:
        """Return the opaque reference of this render in holds, credit entries and jobs."""
        return f"render:{self.pk}"

    @property
    def is_terminal(self) -> bool:
        """Return whether the render has ended; its status then never changes."""
        return self.status in TERMINAL

    @property
    def has_output(self) -> bool:
        """Return whether the output can be downloaded."""
        return self.status == RenderStatus.SUCCEEDED and self.output_deleted_at is None


class ExternalLease(BaseModel):
    """An attempt at a render by an external worker.

    job_id, attempt, worker: as in the queue. pool: its secrets sign the worker's reports.
    token_digest: SHA-256 of the lease token, hexadecimal; only the worker has the token.
    output, poster, thumbnail: facts about the uploaded files; None before.
    ignored: the number of reports that changed nothing.
    """

    ID_PREFIX = "lea"

    # The unique constraint begins with this column.
    render = models.ForeignKey(Render, on_delete=models.CASCADE, related_name="external_leases", db_index=False)
    job_id = models.UUIDField()
    attempt = models.PositiveIntegerField()
    worker = models.CharField(max_length=120)
    pool = models.CharField(max_length=64)
    token_digest = models.CharField(max_length=64, editable=False)
    total_frames = models.PositiveIntegerField(null=True, blank=True)
    output = models.JSONField(null=True, blank=True)
    poster = models.JSONField(null=True, blank=True)
    thumbnail = models.JSONField(null=True, blank=True)
    reports = models.PositiveIntegerField(default=0)
    ignored = models.PositiveIntegerField(default=0)
    last_report_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            # One lease per attempt; serves the lookup of the lease of a report.
            models.UniqueConstraint(fields=["render", "attempt"], name="renders_lease_once_per_attempt"),
        ]
        indexes: ClassVar = [
            # The admin's list, newest first.
            NamedIndex(fields=["created_at"], name="idx_external_leases_created"),
        ]

    def __str__(self) -> str:
        return f"{self.worker}, attempt {self.attempt}"


class WorkerMessage(BaseModel):
    """A processed message of an external worker, recorded so that a replay has no effect.

    body_sha256: hexadecimal; another body with the same id is refused.
    """

    ID_PREFIX = "wmg"

    pool = models.CharField(max_length=64)
    message_id = models.CharField(max_length=128)
    body_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            # Of two concurrent copies of a message, one is processed.
            models.UniqueConstraint(fields=["pool", "message_id"], name="renders_worker_message_once"),
        ]
        indexes: ClassVar = [
            # The retention of the oldest; the admin's list, newest first.
            NamedIndex(fields=["created_at"], name="idx_worker_messages_created"),
        ]

    def __str__(self) -> str:
        return self.message_id
