"""Where events are delivered to, what is delivered, and every attempt at it."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.append_only import AppendOnlyModel, AppendOnlyQuerySet
from core.indexes import NamedIndex
from core.models import BaseModel, VersionedModel
from outbound.targets import MAX_URL_LENGTH

MAX_IN_FLIGHT = 4
MAX_STORED_RESPONSE_BYTES = 1024


class WebhookEndpointKind(models.TextChoices):
    """What an endpoint is for."""

    SUBSCRIPTION = "subscription"  # one URL, for all events of the types it chose
    RENDERS = "renders"  # the URLs that single renders name: one row an account, for its secret and its limits


class DisabledReason(models.TextChoices):
    """Why nothing is delivered any more."""

    OWNER = "owner"
    STAFF = "staff"
    GONE = "gone"  # the receiver answered 410
    FAILING = "failing"  # no delivery succeeded for days


class DeliveryStatus(models.TextChoices):
    """How far a delivery got."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the last attempt failed, or the endpoint was disabled before it was made


class BodyFormat(models.TextChoices):
    """What the body of a delivery looks like."""

    STANDARD = "standard"  # {type, timestamp, data}
    CALLBACK = "callback"  # what an edit's own `callback` member expects


def webhook_endpoint_kind_choices() -> list[tuple[str, str]]:
    """Return the kinds of endpoint."""
    return list(WebhookEndpointKind.choices)


def disabled_reason_choices() -> list[tuple[str, str]]:
    """Return the reasons for disabling."""
    return list(DisabledReason.choices)


def delivery_status_choices() -> list[tuple[str, str]]:
    """Return the states of a delivery."""
    return list(DeliveryStatus.choices)


def body_format_choices() -> list[tuple[str, str]]:
    """Return the formats of a body."""
    return list(BodyFormat.choices)


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    """Questions about endpoints."""

    def not_deleted(self) -> Self:
        """Return those that were not deleted, as idx_webhook_endpoints_owner puts it."""
        return self.filter(deleted_at__isnull=True)

    def for_owner(self, user: Any) -> Self:
        """Return what an account can reach."""
        return self.not_deleted().filter(owner=user)


class WebhookEndpoint(VersionedModel):
    """A receiver of events.

    events: types, or families such as `render.*`; `*` for all. secret, previous_secret: encrypted.
    deleted_at: nothing is delivered any more, and the row goes once its deliveries are gone.
    What changes with the deliveries is in `health`: an attempt must not undo what somebody has just read and edits.
    """

    ID_PREFIX: ClassVar[str] = "whk"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhook_endpoints", db_index=False
    )
    kind = models.CharField(
        max_length=16, choices=webhook_endpoint_kind_choices, default=WebhookEndpointKind.SUBSCRIPTION
    )
    url = models.CharField(max_length=MAX_URL_LENGTH, blank=True, default="")
    description = models.CharField(max_length=200, blank=True, default="")
    events = models.JSONField(default=list)
    secret = models.TextField(editable=False)
    previous_secret = models.TextField(blank=True, default="", editable=False)
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=16, choices=disabled_reason_choices, blank=True, default="")
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        permissions: ClassVar = [("switch_webhook_endpoint", "Can disable and enable webhook endpoints")]
        indexes: ClassVar = [
            # GET /webhooks, and who is to be told of an event.
            NamedIndex(
                fields=["owner", "-created_at", "-id"],
                name="idx_webhook_endpoints_owner",
                condition=Q(deleted_at__isnull=True),
            ),
            # The admin's list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_webhook_endpoints_created"),
            # Deleted endpoints, whose deliveries the housekeeping throws away. Nearly always empty.
            NamedIndex(
                fields=["deleted_at"], name="idx_webhook_endpoints_deleted", condition=Q(deleted_at__isnull=False)
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner"], name="uniq_webhook_endpoint_of_renders", condition=Q(kind="renders")
            ),
        ]

    def __str__(self) -> str:
        return self.url or f"URLs of renders ({self.public_id})"

    @property
    def limit_key(self) -> str:
        """Return the key under which the queue counts its deliveries at work."""
        return f"webhook:{self.pk}"

    @property
    def is_for_renders(self) -> bool:
        """Return whether it stands for the URLs that single renders name."""
        return self.kind == WebhookEndpointKind.RENDERS


class WebhookEndpointHealth(BaseModel):
    """How a receiver has been doing.

    limit_running: deliveries at a time, fewer while it says that it is overloaded.
    is_slow: its deliveries take a queue of their own, where they keep nobody else waiting.
    failing_since: the first failure after the last success.
    """

    ID_PREFIX: ClassVar[str] = "whh"

    endpoint = models.OneToOneField(WebhookEndpoint, on_delete=models.CASCADE, related_name="health")
    limit_running = models.PositiveSmallIntegerField(default=MAX_IN_FLIGHT)
    limit_changed_at = models.DateTimeField(null=True, blank=True)
    is_slow = models.BooleanField(default=False)
    failing_since = models.DateTimeField(null=True, blank=True)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "endpoint health"
        indexes: ClassVar = [
            # The admin's list of receivers that fail, the longest first.
            NamedIndex(
                fields=["failing_since"], name="idx_endpoint_health_failing", condition=Q(failing_since__isnull=False)
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(limit_running__gte=1, limit_running__lte=MAX_IN_FLIGHT), name="webhook_limit_in_bounds"
            ),
        ]

    def __str__(self) -> str:
        return f"health of {self.endpoint_id}"


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    """Questions about deliveries."""

    def for_owner(self, user: Any) -> Self:
        """Return what an account can reach: nothing of an endpoint that it deleted."""
        return self.filter(endpoint__owner=user, endpoint__deleted_at__isnull=True)

    def with_attempts(self) -> Self:
        """Read the attempts along, and the endpoint."""
        return self.select_related("endpoint").prefetch_related("history")


class WebhookDelivery(BaseModel):
    """One event on its way to one endpoint; its public id is the `webhook-id` of every attempt.

    resource: the public id of what the event is about. sequence: grows from event to event of one resource.
    body: byte for byte what is signed and sent. url: where to, if not to the endpoint's own URL.
    job_id: the job that delivers it, or delivered it last. attempts: how many were made, over all its jobs.
    """

    ID_PREFIX: ClassVar[str] = "dlv"

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    type = models.CharField(max_length=60)
    resource = models.CharField(max_length=60)
    sequence = models.BigIntegerField()
    body = models.TextField()
    format = models.CharField(max_length=10, choices=body_format_choices, default=BodyFormat.STANDARD)
    url = models.CharField(max_length=MAX_URL_LENGTH, blank=True, default="")
    status = models.CharField(max_length=12, choices=delivery_status_choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    last_status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=60, blank=True, default="")
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    job_id = models.UUIDField(null=True, blank=True, editable=False)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        permissions: ClassVar = [("redeliver_webhook", "Can send deliveries again")]
        indexes: ClassVar = [
            # GET /webhooks/{id}/deliveries, newest first; what is left of a deleted endpoint.
            NamedIndex(fields=["endpoint", "-created_at", "-id"], name="idx_webhook_deliveries_endpoint"),
            # POST /webhooks/{id}/replay, and ?status= of the list: few rows.
            NamedIndex(
                fields=["endpoint", "created_at", "id"],
                name="idx_webhook_deliveries_failed",
                condition=Q(status="failed"),
            ),
            # The last sequence of a resource; the admin's search by resource.
            NamedIndex(fields=["resource", "-sequence"], name="idx_webhook_deliveries_resource"),
            # The admin's list, newest first; deliveries past their retention.
            NamedIndex(fields=["created_at"], name="idx_webhook_deliveries_created"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    @property
    def target_url(self) -> str:
        """Return where it goes."""
        return self.url or self.endpoint.url

    @property
    def reference(self) -> str:
        """Return what its jobs are found by."""
        return f"delivery:{self.pk}"


class DeliveryAttempt(AppendOnlyModel):
    """One request that was made, or refused by the guard, and what came of it.

    status_code: None where there was no answer. error: a code, empty after a success. response_body: its beginning.
    """

    ID_PREFIX: ClassVar[str] = "dat"

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="history", db_index=False)
    number = models.PositiveIntegerField()
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=60, blank=True, default="")
    detail = models.CharField(max_length=300, blank=True, default="")
    duration_s = models.FloatField()
    response_body = models.TextField(blank=True, default="")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            # Also the index that lists the attempts of a delivery.
            models.UniqueConstraint(fields=["delivery", "number"], name="uniq_delivery_attempt_number"),
        ]
        indexes: ClassVar = [
            # The admin's list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_delivery_attempts_created"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.status_code or self.error}"
