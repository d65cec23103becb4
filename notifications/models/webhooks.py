"""Models of webhook endpoints, their health, deliveries and attempts."""

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
    """Kinds of webhook endpoint."""

    SUBSCRIPTION = "subscription"  # one URL and the event types it subscribes to
    RENDERS = "renders"  # URLs given with single renders: one row per account, for its secret and limits


class DisabledReason(models.TextChoices):
    """Reasons why an endpoint was disabled."""

    OWNER = "owner"
    STAFF = "staff"
    GONE = "gone"  # the receiver answered 410
    FAILING = "failing"  # no delivery succeeded for days


class DeliveryStatus(models.TextChoices):
    """States of a delivery."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the last attempt failed, or the endpoint was disabled before it


class BodyFormat(models.TextChoices):
    """Formats of the body of a delivery."""

    STANDARD = "standard"  # {type, timestamp, data}
    CALLBACK = "callback"  # what an edit's own `callback` member expects


def webhook_endpoint_kind_choices() -> list[tuple[str, str]]:
    """Return the choices; a callable, so that a new kind needs no migration."""
    return list(WebhookEndpointKind.choices)


def disabled_reason_choices() -> list[tuple[str, str]]:
    """Return the choices; a callable, so that a new reason needs no migration."""
    return list(DisabledReason.choices)


def delivery_status_choices() -> list[tuple[str, str]]:
    """Return the choices; a callable, so that a new state needs no migration."""
    return list(DeliveryStatus.choices)


def body_format_choices() -> list[tuple[str, str]]:
    """Return the choices; a callable, so that a new format needs no migration."""
    return list(BodyFormat.choices)


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    """QuerySet of endpoints."""

    def not_deleted(self) -> Self:
        """Exclude deleted endpoints; matches the condition of idx_webhook_endpoints_owner."""
        return self.filter(deleted_at__isnull=True)

    def for_owner(self, user: Any) -> Self:
        """Return the endpoints that an account can access."""
        return self.not_deleted().filter(owner=user)


class WebhookEndpoint(VersionedModel):
    """A receiver of events.

    events: types, or families such as `render.*`; `*` for all. secret, previous_secret: encrypted.
    deleted_at: set by a deletion; housekeeping deletes the row after its deliveries.
    State that attempts change is in `health`, so that a delivery does not change the ETag of an endpoint being edited.
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
            # GET /webhooks, and the endpoints to deliver an event to.
            NamedIndex(
                fields=["owner", "-created_at", "-id"],
                name="idx_webhook_endpoints_owner",
                condition=Q(deleted_at__isnull=True),
            ),
            # The admin list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_webhook_endpoints_created"),
            # Deleted endpoints, which housekeeping purges. Nearly always empty.
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
        """Return the key by which the queue limits concurrent deliveries."""
        return f"webhook:{self.pk}"

    @property
    def is_for_renders(self) -> bool:
        """Return whether it represents the URLs of single renders."""
        return self.kind == WebhookEndpointKind.RENDERS


class WebhookEndpointHealth(BaseModel):
    """Delivery health of an endpoint.

    limit_running: concurrent deliveries, reduced while the receiver is overloaded.
    is_slow: deliveries use the slow queue, where they do not delay other receivers.
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
            # The admin list of failing endpoints, the longest failing first.
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
    """QuerySet of deliveries."""

    def for_owner(self, user: Any) -> Self:
        """Return the deliveries that an account can access: those of endpoints it has not deleted."""
        return self.filter(endpoint__owner=user, endpoint__deleted_at__isnull=True)

    def with_attempts(self) -> Self:
        """Load the endpoint and the attempts as well."""
        return self.select_related("endpoint").prefetch_related("history")


class WebhookDelivery(BaseModel):
    """The delivery of one event to one endpoint; its public id is the `webhook-id` of every attempt.

    resource: the public id of the object the event is about. sequence: increases with each event of a resource.
    body: exactly the bytes that are signed and sent. url: overrides the URL of the endpoint.
    job_id: the current or last job of the delivery. attempts: the number of attempts over all its jobs.
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
            # GET /webhooks/{id}/deliveries, newest first; the purge of a deleted endpoint.
            NamedIndex(fields=["endpoint", "-created_at", "-id"], name="idx_webhook_deliveries_endpoint"),
            # POST /webhooks/{id}/replay, and ?status=failed of the list: few rows.
            NamedIndex(
                fields=["endpoint", "created_at", "id"],
                name="idx_webhook_deliveries_failed",
                condition=Q(status="failed"),
            ),
            # The last sequence of a resource; the admin search by resource.
            NamedIndex(fields=["resource", "-sequence"], name="idx_webhook_deliveries_resource"),
            # The admin list, newest first; the retention.
            NamedIndex(fields=["created_at"], name="idx_webhook_deliveries_created"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    @property
    def target_url(self) -> str:
        """Return the URL to deliver to."""
        return self.url or self.endpoint.url

    @property
    def reference(self) -> str:
        """Return the reference of its jobs."""
        return f"delivery:{self.pk}"


class DeliveryAttempt(AppendOnlyModel):
    """One request of a delivery, sent or refused by the address check, and its result.

    status_code: None without a response. error: a code, empty for success. response_body: the first KB.
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
            # The admin list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_delivery_attempts_created"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.status_code or self.error}"
