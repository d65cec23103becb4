"""Admin of webhooks: list, search, detail, actions, and a user without permission."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from jobs.models import Job
from notifications.encryption import decrypt
from notifications.models import DeliveryAttempt, Notification, WebhookDelivery, WebhookEndpoint
from tests.factories import make_delivery, make_endpoint, make_user

pytestmark = pytest.mark.django_db
MODELS = ("webhookendpoint", "webhookdelivery", "deliveryattempt", "webhookendpointhealth")


@pytest.fixture
def staff():
    client = Client()
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def rows(alice):
    endpoint = make_endpoint(alice, description="<b>mine</b>")
    delivery = make_delivery(endpoint, status="failed", resource="rnd_x", body='{"a": "<script>"}')
    attempt = DeliveryAttempt.objects.create(
        delivery=delivery, number=1, duration_s=0.2, status_code=500, error="http_500", response_body="<script>x()"
    )
    return {
        "webhookendpoint": endpoint,
        "webhookdelivery": delivery,
        "deliveryattempt": attempt,
        "webhookendpointhealth": endpoint.health,
    }


def changelist(name):
    return reverse(f"admin:notifications_{name}_changelist")


@pytest.mark.parametrize("name", MODELS)
def test_lists_searches_and_shows_details(staff, rows, name):
    assert staff.get(changelist(name)).status_code == 200
    assert staff.get(changelist(name), {"q": "alice"}).status_code == 200
    page = staff.get(reverse(f"admin:notifications_{name}_change", args=[rows[name].pk]))
    assert page.status_code == 200
    text = page.content.decode()
    assert "<script>x()" not in text
    secret = decrypt(rows["webhookendpoint"].secret)
    assert secret not in text
    assert rows["webhookendpoint"].secret not in text


@pytest.mark.parametrize("name", MODELS)
def test_refuses_staff_without_permission(rows, name):
    client = Client()
    client.force_login(make_user("clerk", is_staff=True))
    assert client.get(changelist(name)).status_code == 403


def test_filters_by_status_and_endpoint(staff, rows):
    other = make_delivery(status="succeeded", resource="rnd_other")
    found = staff.get(changelist("webhookdelivery"), {"status__exact": "succeeded"}).content.decode()
    assert other.resource in found
    assert "rnd_x" not in found
    found = staff.get(changelist("webhookdelivery"), {"endpoint__id__exact": str(rows["webhookendpoint"].pk)})
    assert found.status_code == 200
    assert "rnd_other" not in found.content.decode()


def act(client, name, action, row):
    data = {"action": action, "_selected_action": [str(row.pk)]}
    return client.post(changelist(name), data, follow=True)


def test_disables_and_notifies_the_owner_and_enables(staff, rows, alice):
    endpoint = rows["webhookendpoint"]
    assert "1 disabled" in act(staff, "webhookendpoint", "disable", endpoint).content.decode()
    row = WebhookEndpoint.objects.get()
    assert (row.is_enabled, row.disabled_reason) == (False, "staff")
    assert Notification.objects.get().user_id == alice.pk
    assert "1 refused" in act(staff, "webhookdelivery", "send_again", rows["webhookdelivery"]).content.decode()
    assert "0 disabled" in act(staff, "webhookendpoint", "disable", endpoint).content.decode()
    assert "1 enabled" in act(staff, "webhookendpoint", "enable", endpoint).content.decode()
    assert WebhookEndpoint.objects.get().is_enabled


def test_sends_deliveries_again_and_test_events(staff, rows):
    act(staff, "webhookdelivery", "send_again", rows["webhookdelivery"])
    assert WebhookDelivery.objects.get().status == "pending"
    act(staff, "webhookendpoint", "test", rows["webhookendpoint"])
    assert WebhookDelivery.objects.filter(type="ping", resource=rows["webhookendpoint"].public_id).count() == 1
    assert Job.objects.filter(type="notifications.deliver").count() == 2
