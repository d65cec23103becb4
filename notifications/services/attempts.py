"""Delivery attempts: prepares one, and records its result together with the state of its job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from jobs import services as jobs
from jobs.context import JobContext
from jobs.exceptions import PermanentFailure
from jobs.snapshot import JobError, JobSnapshot
from jobs.states import JobStatus
from notifications.encryption import DecryptionError
from notifications.job_types import DELIVER_QUEUE, SLOW_QUEUE
from notifications.models import DeliveryAttempt, WebhookDelivery, WebhookEndpoint, WebhookEndpointHealth
from notifications.models.webhooks import MAX_IN_FLIGHT, DeliveryStatus, DisabledReason
from notifications.services.endpoints import disable_after, disable_endpoint, signing_secrets
from notifications.webhooks.backoff import retry_delay
from notifications.webhooks.sending import DeliveryResult, WebhookMessage

logger = logging.getLogger(__name__)

OVERLOAD_STATUS_CODES = frozenset({429, 502, 504})
# Minimum time between changes of the limit: several failures in flight at once must count as one.
LIMIT_CHANGE_INTERVAL = timedelta(seconds=10)
SLOW_THRESHOLD_S = 2.0
FAST_THRESHOLD_S = 1.0
# Longer than any retry delay: after such a gap nothing was due, so the earlier failures no longer count.
IDLE_AFTER = timedelta(hours=30)
SUCCESS_UPDATE_INTERVAL = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class PreparedAttempt:
    """An attempt to make. message: None if the endpoint is disabled."""

    delivery: WebhookDelivery
    message: WebhookMessage | None


def prepare_attempt(context: JobContext) -> PreparedAttempt | None:
    """Load the delivery of a job and build its message; return None for a deleted or superseded one.

    Raises PermanentFailure if the secret cannot be decrypted.
    """
    job = context.job
    found = WebhookDelivery.objects.select_related("endpoint__health").filter(pk=UUID(job.payload["delivery"])).first()
    if found is None or found.endpoint.deleted_at is not None or found.job_id not in (job.id, None):
        return None
    if not found.endpoint.is_enabled:
        return PreparedAttempt(found, None)
    try:
        secrets = signing_secrets(found.endpoint)
    except (DecryptionError, ValueError) as error:
        raise PermanentFailure("secret_unreadable", str(error)) from error
    message = WebhookMessage(
        url=found.target_url,
        message_id=found.public_id,
        body=found.body.encode(),
        secrets=secrets,
        allow_hosts=tuple(settings.RENDEROWL_WEBHOOK_ALLOW_HOSTS),
        ports=settings.RENDEROWL_WEBHOOK_PORTS,
        traceparent=job.traceparent,
    )
    return PreparedAttempt(found, message)


def record_result(*, context: JobContext, attempt: PreparedAttempt, result: DeliveryResult | None) -> None:
    """Record the result of an attempt and complete, retry or fail its job, in one transaction.

    Raises LeaseLost if another attempt owns the job by now.
    """
    with transaction.atomic():
        if result is None:
            _cancel(context, attempt.delivery)
        else:
            # The job first: its fence rejects an attempt that is not the current one.
            if result.is_success:
                _succeed(context, attempt.delivery, result)
            else:
                _fail(context, attempt.delivery, result)
            _record_attempt(attempt.delivery, result)
            _update_health(attempt.delivery.endpoint, result)
            _choose_queue(context.job, attempt.delivery.endpoint, result)


def fail_delivery(*, delivery_id: UUID, code: str) -> None:
    """Fail a pending delivery whose job ended without `record_result`."""
    WebhookDelivery.objects.filter(pk=delivery_id, status=DeliveryStatus.PENDING).update(
        status=DeliveryStatus.FAILED, next_attempt_at=None, finished_at=timezone.now(), last_error=code[:60]
    )


def _cancel(context: JobContext, delivery: WebhookDelivery) -> None:
    """Fail a delivery of a disabled endpoint, so that a replay can send it again."""
    context.complete({"sent": False})
    _end(delivery, DeliveryStatus.FAILED, last_error="endpoint_disabled")


def _record_attempt(delivery: WebhookDelivery, result: DeliveryResult) -> None:
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts + 1,
        status_code=result.status_code,
        error=result.error[:60],
        detail=result.detail[:300],
        duration_s=round(result.duration_s, 4),
        response_body=result.response_body,
    )


def _succeed(context: JobContext, delivery: WebhookDelivery, result: DeliveryResult) -> None:
    context.complete({"status_code": result.status_code})
    _end(delivery, DeliveryStatus.SUCCEEDED, last_error="", **_attempt_columns(result))


def _fail(context: JobContext, delivery: WebhookDelivery, result: DeliveryResult) -> None:
    delay_s = retry_delay(context.job.failures + 1, retry_after_s=result.retry_after_s)
    status = jobs.fail_attempt(
        job=context.job, error=JobError(result.error, result.detail), permanent=result.is_gone, delay_s=delay_s
    )
    context.mark_failed(error_code=result.error)
    columns = {"last_error": result.error[:60], **_attempt_columns(result)}
    if status == JobStatus.SCHEDULED:
        due = timezone.now() + timedelta(seconds=delay_s)
        WebhookDelivery.objects.filter(pk=delivery.pk).update(next_attempt_at=due, **columns)
    else:
        _end(delivery, DeliveryStatus.FAILED, **columns)


def _attempt_columns(result: DeliveryResult) -> dict[str, Any]:
    return {"attempts": F("attempts") + 1, "last_status_code": result.status_code}


def _end(delivery: WebhookDelivery, status: DeliveryStatus, **columns: Any) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        status=status, next_attempt_at=None, finished_at=timezone.now(), **columns
    )


def _update_health(endpoint: WebhookEndpoint, result: DeliveryResult) -> None:
    """Update the health of the endpoint; writes only changes, because most attempts change nothing."""
    now = timezone.now()
    health = endpoint.health
    if result.is_success:
        _record_success(health, now)
        if health.limit_running < MAX_IN_FLIGHT:
            _change_limit(endpoint, health.limit_running + 1, now)
        return
    if result.status_code in OVERLOAD_STATUS_CODES:
        _change_limit(endpoint, max(1, health.limit_running // 2), now)
    if endpoint.is_for_renders:
        # One row represents many receivers: a failing one must not disable the others.
        return
    if result.is_gone:
        disable_endpoint(endpoint=endpoint, reason=DisabledReason.GONE)
    elif _record_failure(health, now) >= disable_after():
        disable_endpoint(endpoint=endpoint, reason=DisabledReason.FAILING)


def _record_success(health: WebhookEndpointHealth, now: datetime) -> None:
    was_long_ago = health.last_success_at is None or now - health.last_success_at > SUCCESS_UPDATE_INTERVAL
    if health.failing_since is not None or was_long_ago:
        _health_rows(health).update(failing_since=None, last_success_at=now, last_attempt_at=now)


def _record_failure(health: WebhookEndpointHealth, now: datetime) -> timedelta:
    """Record a failure; return for how long due deliveries have failed."""
    since, last = health.failing_since, health.last_attempt_at
    if since is None or (last is not None and now - last > IDLE_AFTER):
        since = now
    _health_rows(health).update(failing_since=since, last_attempt_at=now)
    return now - since


def _health_rows(health: WebhookEndpointHealth) -> QuerySet[WebhookEndpointHealth]:
    return WebhookEndpointHealth.objects.filter(pk=health.pk)


def _change_limit(endpoint: WebhookEndpoint, limit: int, now: datetime) -> None:
    health = endpoint.health
    changed_at = health.limit_changed_at
    if limit == health.limit_running or (changed_at is not None and now - changed_at < LIMIT_CHANGE_INTERVAL):
        return
    unchanged = _health_rows(health).filter(limit_running=health.limit_running)
    if not unchanged.update(limit_running=limit, limit_changed_at=now):
        return
    if limit == MAX_IN_FLIGHT:
        jobs.clear_key_limit(limit_key=endpoint.limit_key)
    else:
        jobs.set_key_limit(limit_key=endpoint.limit_key, limit_running=limit)


def _choose_queue(job: JobSnapshot, endpoint: WebhookEndpoint, result: DeliveryResult) -> None:
    """Move deliveries of a slow receiver to the slow queue, and back when it is fast again."""
    is_slow = was_slow = endpoint.health.is_slow
    if result.duration_s > SLOW_THRESHOLD_S:
        is_slow = True
    elif result.duration_s < FAST_THRESHOLD_S:
        is_slow = False
    queue = SLOW_QUEUE if is_slow else DELIVER_QUEUE
    if is_slow != was_slow:
        _health_rows(endpoint.health).update(is_slow=is_slow)
        jobs.move_waiting(limit_key=endpoint.limit_key, queue=queue)
    if job.queue != queue:
        # The job of this attempt, which `move_waiting` does not include.
        jobs.move_job(job_id=job.id, queue=queue)
