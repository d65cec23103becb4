"""GET and PATCH /notifications/preferences."""

from __future__ import annotations

import pytest

from notifications.models import NotificationPreference
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PATH = "/api/v2/notifications/preferences"


def channels(body) -> dict[str, tuple[bool, bool, bool]]:
    return {item["kind"]: (item["inbox"], item["email"], item["is_default"]) for item in body["kinds"]}


def test_returns_defaults_and_choices(client_of_alice, alice) -> None:
    NotificationPreference.objects.create(user=alice, kind="render.succeeded", inbox=False)
    NotificationPreference.objects.create(user=make_user(), kind="render.failed", inbox=False)
    NotificationPreference.objects.create(user=alice, kind="gone.since", inbox=False)
    body = client_of_alice.get(PATH).json()
    assert body["object"] == "notification_preferences"
    found = channels(body)
    assert found["render.succeeded"] == (False, False, False)
    assert found["render.failed"] == (True, False, True)
    assert found["render.cancelled"] == (False, False, True)
    assert "gone.since" not in found
    assert list(found) == sorted(found)
    assert all(item["summary"] for item in body["kinds"])


def test_changes_channels_and_restores_defaults(client_of_alice, alice) -> None:
    kinds = {"render.succeeded": {"inbox": False, "email": True}, "render.failed": {"email": True}}
    body = client_of_alice.patch(PATH, {"kinds": kinds}).json()
    assert channels(body)["render.succeeded"] == (False, True, False)
    assert channels(body)["render.failed"] == (True, True, False)
    rows = set(NotificationPreference.objects.values_list("user", "kind", "inbox", "email"))
    assert rows == {(alice.pk, "render.succeeded", False, True), (alice.pk, "render.failed", None, True)}
    body = client_of_alice.patch(PATH, {"kinds": {"render.succeeded": {"inbox": None, "email": None}}}).json()
    assert channels(body)["render.succeeded"] == (True, False, True)
    assert channels(body)["render.failed"] == (True, True, False)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/kinds"),
        ({"kinds": []}, "/kinds"),
        ({"kinds": {"render.exploded": {"inbox": True}}}, "/kinds/render.exploded"),
        ({"kinds": {"render.failed": {"sms": True}}}, "/kinds/render.failed/sms"),
        ({"kinds": {"render.failed": {"inbox": "yes"}}}, "/kinds/render.failed/inbox"),
        ({"kinds": {"render.failed": True}}, "/kinds/render.failed"),
        ({"kinds": {"render.failed": {"inbox": False}, "x": {}}}, "/kinds/x"),
        ({"inbox": {}}, "/inbox"),
    ],
)
def test_refuses_invalid_changes_and_applies_none(client_of_alice, body, pointer) -> None:
    answer = client_of_alice.patch(PATH, body)
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert not NotificationPreference.objects.exists()
