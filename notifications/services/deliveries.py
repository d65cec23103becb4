"""Deliveries: created with their event, sent again on demand, purged with a deleted endpoint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from core.exceptions import InvalidState, NotFound
from jobs.services import NewJob, enqueue, enqueue_many, run_now
from notifications.exceptions import WebhookEndpointDisabled
from notifications.job_types import DELIVER_JOB, DELIVER_QUEUE, REPLAY_JOB, SLOW_QUEUE
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import BodyFormat, DeliveryStatus, WebhookEndpointKind
from notifications.webhooks.backoff import max_attempts
from notifications.webhooks.event_types import PING, matches
from notifications.webhooks.payloads import build_body, describe_endpoint

REPLAY_BATCH = 500
SEQUENCE_BATCH = 500


@dataclass(frozen=True, slots=True)
class ExtraDelivery:
    """A delivery to a URL given with the render itself, independent of subscriptions.

    body: overrides the body of the event.
    """

    endpoint: WebhookEndpoint
    url: str
    body: str | None = None
    format: BodyFormat = BodyFormat.STANDARD


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event of one account. resource: the public id of the object it is about.

    describe: returns the data; called only if there is a delivery.
    """

    owner_id: UUID
    type: str
    resource: str
    describe: Callable[[], Mapping[str, Any]]
    extras: Sequence[ExtraDelivery] = ()


def publish_events(events: Sequence[WebhookEvent]) -> int:
    """Create the deliveries of events in the caller's transaction; return their number.

    The number of statements does not grow with the number of events, except by insert batches; without subscribed
    endpoints it is one.
    """
    endpoints = _enabled_endpoints({one.owner_id for one in events})
    to_deliver = [(one, _subscribed_endpoints(one, endpoints)) for one in events]
    to_deliver = [(one, subscribed) for one, subscribed in to_deliver if subscribed or one.extras]
    if not to_deliver:
        return 0
    now = timezone.now()
    sequences = next_sequences([one.resource for one, _ in to_deliver], now)
    rows: list[WebhookDelivery] = []
    for (one, subscribed), sequence in zip(to_deliver, sequences, strict=True):
        rows += _build(one, subscribed, sequence, now)
    create_deliveries(rows)
    return len(rows)


def publish_event(*, owner_id: UUID, event: str, resource: str, describe: Callable[[], Mapping[str, Any]]) -> int:
    """Create the deliveries of one event in the caller's transaction; return their number."""
    return publish_events([WebhookEvent(owner_id, event, resource, describe)])


def _enabled_endpoints(owner_ids: Collection[UUID]) -> list[WebhookEndpoint]:
    not_deleted = WebhookEndpoint.objects.not_deleted().filter(owner_id__in=owner_ids, is_enabled=True)
    return list(not_deleted.filter(kind=WebhookEndpointKind.SUBSCRIPTION).select_related("health"))


def _subscribed_endpoints(event: WebhookEvent, endpoints: Sequence[WebhookEndpoint]) -> list[WebhookEndpoint]:
    return [one for one in endpoints if one.owner_id == event.owner_id and matches(one.events, event.type)]


def _build(
    event: WebhookEvent, subscribed: Sequence[WebhookEndpoint], sequence: int, now: datetime
) -> list[WebhookDelivery]:
    shared = {"type": event.type, "resource": event.resource, "sequence": sequence, "next_attempt_at": now}
    body = ""
    if subscribed or any(extra.body is None for extra in event.extras):
        body = build_body(type=event.type, timestamp=now, data=event.describe(), sequence=sequence)
    rows = [WebhookDelivery(endpoint=endpoint, body=body, **shared) for endpoint in subscribed]
    rows += [
        WebhookDelivery(
            endpoint=extra.endpoint,
            body=body if extra.body is None else extra.body,
            url=extra.url,
            format=extra.format,
            **shared,
        )
        for extra in event.extras
    ]
    return rows


def next_sequences(resources: Sequence[str], now: datetime) -> list[int]:
    """Return a number per event, above those of all earlier events of its resource: Unix milliseconds, or last + 1.

    A transaction that changes a resource locks its row, so that its events are serialized.
    """
    last: dict[str, int] = {}
    for start in range(0, len(resources), SEQUENCE_BATCH):
        batch = WebhookDelivery.objects.filter(resource__in=set(resources[start : start + SEQUENCE_BATCH]))
        last.update(batch.order_by().values_list("resource").annotate(Max("sequence")))
    sequences = []
    for resource in resources:
        last[resource] = max(int(now.timestamp() * 1000), last.get(resource, 0) + 1)
        sequences.append(last[resource])
    return sequences


def create_deliveries(rows: Sequence[WebhookDelivery]) -> None:
    """Insert deliveries and their jobs in the caller's transaction."""
    jobs = enqueue_many(jobs=[delivery_job(row) for row in rows])
    for row, job in zip(rows, jobs, strict=True):
        row.job_id = job.pk
    WebhookDelivery.objects.bulk_create(rows)


def delivery_job(delivery: WebhookDelivery) -> NewJob:
    """Return the job that makes the attempts of a delivery."""
    endpoint = delivery.endpoint
    return NewJob(
        type=DELIVER_JOB,
        payload={"delivery": str(delivery.pk)},
        queue=SLOW_QUEUE if endpoint.health.is_slow else DELIVER_QUEUE,
        user_id=endpoint.owner_id,
        reference=delivery.reference,
        max_attempts=max_attempts(),
        limit_key=endpoint.limit_key,
        limit_running=endpoint.health.limit_running,
    )


def send_test(*, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send a `ping` to an endpoint, independent of its subscription.

    Raises WebhookEndpointDisabled; InvalidState for the endpoint of renders.
    """
    if endpoint.is_for_renders:
        raise InvalidState("This endpoint represents the URLs of single renders: it cannot be tested.")
    _require_enabled(endpoint)
    event = WebhookEvent(endpoint.owner_id, PING.name, endpoint.public_id, lambda: describe_endpoint(endpoint))
    now = timezone.now()
    with transaction.atomic():
        (sequence,) = next_sequences([event.resource], now)
        (delivery,) = _build(event, [endpoint], sequence, now)
        create_deliveries([delivery])
    return delivery


def redeliver(*, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a delivery again under the same id; a pending one is attempted now.

    Raises WebhookEndpointDisabled, NotFound.
    """
    _require_enabled(delivery.endpoint)
    with transaction.atomic():
        if not _requeue(WebhookDelivery.objects.filter(pk=delivery.pk)) and delivery.job_id is not None:
            run_now(job_id=delivery.job_id)
    found = WebhookDelivery.objects.with_attempts().filter(pk=delivery.pk).first()
    if found is None:
        raise NotFound
    return found


def replay_failed(*, endpoint: WebhookEndpoint, since: datetime, until: datetime | None = None) -> int:
    """Send the failed deliveries of a time range again, the first batch now, the rest by a job; return their number.

    Raises WebhookEndpointDisabled.
    """
    _require_enabled(endpoint)
    until = until or timezone.now()
    failed = failed_between(endpoint.pk, since, until)
    with transaction.atomic():
        count = failed.count()
        replay_batch(endpoint_id=endpoint.pk, since=since, until=until)
        if count > REPLAY_BATCH:
            times = {"since": since.isoformat(), "until": until.isoformat()}
            enqueue(type=REPLAY_JOB, payload={"endpoint": str(endpoint.pk), **times}, user_id=endpoint.owner_id)
    return count


def replay_batch(*, endpoint_id: UUID, since: datetime, until: datetime) -> int:
    """Send the oldest failed deliveries again; return their number, 0 when none are left."""
    with transaction.atomic():
        ids = list(failed_between(endpoint_id, since, until).values_list("pk", flat=True)[:REPLAY_BATCH])
        return _requeue(WebhookDelivery.objects.filter(pk__in=ids, endpoint__is_enabled=True))


def failed_between(endpoint_id: UUID, since: datetime, until: datetime) -> QuerySet[WebhookDelivery]:
    """Return the failed deliveries of an endpoint in a time range, oldest first."""
    rows = WebhookDelivery.objects.filter(endpoint_id=endpoint_id, status=DeliveryStatus.FAILED)
    return rows.filter(created_at__gte=since, created_at__lt=until).order_by("created_at", "id")


def _requeue(deliveries: QuerySet[WebhookDelivery]) -> int:
    """Give finished deliveries new jobs; return their number. Compare-and-set: one caller requeues each."""
    finished = ~Q(status=DeliveryStatus.PENDING)
    rows = list(deliveries.filter(finished).select_related("endpoint__health").order_by("created_at", "id"))
    rows = [row for row in rows if _mark_pending(row)]
    for row, job in zip(rows, enqueue_many(jobs=[delivery_job(row) for row in rows]), strict=True):
        WebhookDelivery.objects.filter(pk=row.pk).update(job_id=job.pk)
    return len(rows)


def _mark_pending(row: WebhookDelivery) -> bool:
    unchanged = WebhookDelivery.objects.filter(pk=row.pk, status=row.status, job_id=row.job_id)
    changed = unchanged.update(status=DeliveryStatus.PENDING, next_attempt_at=timezone.now(), finished_at=None)
    return changed == 1


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_enabled:
        raise WebhookEndpointDisabled


def purge_deleted_endpoints(*, limit: int = 500) -> int:
    """Delete one batch of the deliveries of deleted endpoints, then the endpoints; return the number of rows."""
    endpoint_ids = WebhookEndpoint.objects.filter(deleted_at__isnull=False).values_list("pk", flat=True)[:50]
    deleted = 0
    for endpoint_id in list(endpoint_ids):
        deleted += _delete(WebhookDelivery.objects.filter(endpoint_id=endpoint_id), limit)
        if not WebhookDelivery.objects.filter(endpoint_id=endpoint_id).exists():
            deleted += WebhookEndpoint.objects.filter(pk=endpoint_id).delete()[0]
    return deleted


def _delete(rows: QuerySet[WebhookDelivery], limit: int) -> int:
    with transaction.atomic():
        ids = list(rows.values_list("pk", flat=True)[:limit])
        WebhookDelivery.objects.filter(pk__in=ids).delete()
    return len(ids)
