"""Projects, templates and renders."""

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
    """How soon a render is taken; the numbers are those of the queue, first served first."""

    URGENT = 0, "urgent"
    HIGH = 1, "high"
    NORMAL = 2, "normal"
    LOW = 3, "low"


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows that belong to one account."""

    def for_owner(self, user: Any) -> Self:
        """Return the rows of one user."""
        return self.filter(owner=user)


# Columns of renders that can be long, and that few want.
LARGE_COLUMNS = ("edit", "merge", "log", "timings")
# Columns that no answer shows.
INTERNAL_COLUMNS = frozenset(
    {"template_version", "job_id", "strict", "webhook", "credits_topped_up", "run_at", "cancel_requested_at"}
)


class RenderQuerySet(OwnedQuerySet):
    """Rows of renders."""

    def active(self) -> Self:
        """Return the renders that have not ended."""
        return self.filter(status__in=ACTIVE)

    def without_large_columns(self) -> Self:
        """Leave the long columns in the database."""
        return self.defer(*LARGE_COLUMNS)

    def for_serializer(self) -> Self:
        """Leave in the database what the serializer does not show; what entity tags are made of is read."""
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
    """An edit with placeholders, kept to be rendered many times. Each change of it makes a version.

    edit, merge_defaults: of the version in force, which is number `version`.
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
    """What a template was from one change to the next. Never edited."""

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
    """Many renders that were asked for, accepted or refused as one.

    pending, succeeded, failed, cancelled: its renders by how they ended; they always add up to `total`.
    credits_reserved, credits_charged: hundredths, of all its renders. metadata: what every render got.
    """

    ID_PREFIX = "bat"

    # The indexes below begin with it.
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
    """One edit to be turned into one file, and what became of it.

    edit, merge: as the client sent them; a template's edit is copied, so that later versions change nothing here.
    attempt: the number of the queue's attempt, which fences off a worker that was thought dead.
    credits_reserved, credits_charged: hundredths; credits_topped_up is the part of the reserved that was added when
        the worker learnt lengths that the submit could not know. error, warnings: as the API shows them.
    """

    ID_PREFIX = "rnd"

    # The indexes below begin with these two, so that they need none of their own.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="renders", db_index=False
    )
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.SET_NULL, related_name="renders", db_index=False
    )
    template = models.ForeignKey(Template, null=True, blank=True, on_delete=models.SET_NULL, related_name="renders")
    template_version = models.PositiveIntegerField(null=True, blank=True)
    # A retry belongs to no batch: the batch has counted how its render ended.
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
    timings = models.JSONField(default=dict, blank=True)
    log = models.TextField(blank=True)

    run_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    # Not a column: worked out where a single waiting render is shown.
    queue_position: int | None = None

    objects = RenderQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        permissions: ClassVar = [
            ("cancel_render", "Can cancel renders"),
            ("retry_render", "Can retry renders"),
            ("delete_render_output", "Can delete the outputs of renders"),
        ]
        indexes: ClassVar = [
            # The admin's list by status, the housekeeping of due and stale renders, and the place in the queue.
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
            # The counts of batches by status, read from the index alone, and their renders that are to be cancelled.
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
        """Return the instance of a row; columns that were not read are deferred.

        Django's own method calls `__init__`, which looks for each of 48 columns among those that were read and sends
        two signals: half of the time that a list of renders takes.
        """
        instance = cls.__new__(cls)
        instance.__dict__.update(zip(field_names, values, strict=True))
        state = instance._state = ModelState()  # noqa: SLF001 - as `Model.from_db` does
        state.adding, state.db = False, db
        return instance

    @property
    def reference(self) -> str:
        """Return the opaque name under which lower apps keep what belongs to this render."""
        return f"render:{self.pk}"

    @property
    def is_terminal(self) -> bool:
        """Return whether the render has ended; such a state never changes."""
        return self.status in TERMINAL

    @property
    def has_output(self) -> bool:
        """Return whether there is a file to download."""
        return self.status == RenderStatus.SUCCEEDED and self.output_deleted_at is None


class ExternalLease(BaseModel):
    """An attempt at a render that an external worker has, or had.

    job_id, attempt, worker: as the queue knows the attempt. pool: whose secrets sign the worker's reports.
    token_digest: SHA-256 of the lease token, hexadecimal; the worker alone has the token.
    output, poster, thumbnail: what is known of the files that it uploaded; None before.
    ignored: reports that said nothing new.
    """

    ID_PREFIX = "lea"

    # The unique constraint begins with it.
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
            # One lease an attempt; and which one a report belongs to.
            models.UniqueConstraint(fields=["render", "attempt"], name="renders_lease_once_per_attempt"),
        ]
        indexes: ClassVar = [
            # The admin's list, newest first.
            NamedIndex(fields=["created_at"], name="idx_external_leases_created"),
        ]

    def __str__(self) -> str:
        return f"{self.worker}, attempt {self.attempt}"


class WorkerMessage(BaseModel):
    """That a signed message of a worker was processed: one that comes again has no effect.

    body_sha256: hexadecimal; another body under the same id is a mistake of the sender's.
    """

    ID_PREFIX = "wmg"

    pool = models.CharField(max_length=64)
    message_id = models.CharField(max_length=128)
    body_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            # Of two that come at one time, one is processed.
            models.UniqueConstraint(fields=["pool", "message_id"], name="renders_worker_message_once"),
        ]
        indexes: ClassVar = [
            # The housekeeping forgets the oldest; the admin's list, newest first.
            NamedIndex(fields=["created_at"], name="idx_worker_messages_created"),
        ]

    def __str__(self) -> str:
        return self.message_id
