"""Each index of the webhook models serves the query in its comment, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from notifications.models import DeliveryAttempt, WebhookDelivery, WebhookEndpoint, WebhookEndpointHealth
from notifications.services import deliveries

pytestmark = pytest.mark.django_db


@pytest.fixture
def many_rows():
    now = timezone.now()
    users = User.objects.bulk_create([User(username=f"user{number}") for number in range(100)])
    endpoints = WebhookEndpoint.objects.bulk_create(
        [
            WebhookEndpoint(
                owner=users[number % 100], url="https://x.test", events=["*"], secret="x",
                deleted_at=now if number % 100 == 7 else None, is_enabled=number % 10 > 0,
            )
            for number in range(1000)
        ]
    )  # fmt: skip
    WebhookEndpointHealth.objects.bulk_create(
        [
            WebhookEndpointHealth(endpoint=endpoint, failing_since=now if number % 50 == 0 else None)
            for number, endpoint in enumerate(endpoints)
        ]
    )
    rows = WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                endpoint=endpoints[number % 100], type="ping", resource=f"rnd_{number // 4}", sequence=number, body="",
                status="failed" if number % 20 == 3 else "succeeded", created_at=now - timedelta(seconds=number),
            )
            for number in range(4000)
        ],
        batch_size=500,
    )  # fmt: skip
    DeliveryAttempt.objects.bulk_create(
        [DeliveryAttempt(delivery=row, number=1, duration_s=0.1) for row in rows], batch_size=500
    )
    with connection.cursor() as cursor:
        for model in (WebhookEndpoint, WebhookEndpointHealth, WebhookDelivery, DeliveryAttempt):
            cursor.execute(f"ANALYZE {model._meta.db_table}")
        if connection.vendor == "postgresql":
            # In a small table, sorting an account's rows is as cheap as reading them in index order.
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute("SET LOCAL enable_incremental_sort = off")
            cursor.execute("SET LOCAL enable_seqscan = off")
    return users, endpoints, rows


def test_each_index_serves_its_query(many_rows) -> None:
    users, endpoints, rows = many_rows
    newest = ("-created_at", "-pk")
    now = timezone.now()
    failed = deliveries.failed_between(endpoints[3].pk, now - timedelta(hours=1), now)
    plans = {
        "idx_webhook_endpoints_owner": WebhookEndpoint.objects.for_owner(users[3]).order_by(*newest)[:26],
        "idx_webhook_endpoints_created": WebhookEndpoint.objects.order_by("-created_at")[:50],
        "idx_webhook_endpoints_deleted": WebhookEndpoint.objects.filter(deleted_at__isnull=False).order_by(
            "deleted_at"
        )[:50],
        "idx_endpoint_health_failing": WebhookEndpointHealth.objects.filter(failing_since__isnull=False).order_by(
            "failing_since"
        )[:50],
        "idx_webhook_deliveries_endpoint": WebhookDelivery.objects.filter(endpoint=endpoints[3]).order_by(*newest)[:26],
        "idx_webhook_deliveries_failed": failed[:500],
        "idx_webhook_deliveries_resource": WebhookDelivery.objects.filter(resource="rnd_77")
        .order_by("-sequence")
        .values_list("sequence", flat=True)[:1],
        "idx_webhook_deliveries_created": WebhookDelivery.objects.order_by("-created_at")[:50],
        "idx_delivery_attempts_created": DeliveryAttempt.objects.order_by("-created_at")[:50],
        # SQLite keeps the constraint's index under a name of its own.
        "uniq_delivery_attempt_number"
        if connection.vendor == "postgresql"
        else "autoindex_notifications_deliveryattempt_2": DeliveryAttempt.objects.filter(delivery=rows[5]),
    }
    for name, query in plans.items():
        plan = query.explain()
        assert name in plan, f"{name} is not used:\n{plan}"


def test_lists_read_a_page_without_sorting(many_rows) -> None:
    users, endpoints, _ = many_rows
    for query in (
        WebhookEndpoint.objects.for_owner(users[3]).order_by("-created_at", "-pk")[:26],
        WebhookDelivery.objects.filter(endpoint=endpoints[3]).order_by("-created_at", "-pk")[:26],
    ):
        plan = query.explain()
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan
