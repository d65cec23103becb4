"""Channels of notifications, and the events that send them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import transaction

from accounts.events import DeprecatedCallSeen, SunsetApproaching
from accounts.services import revoke_api_key, set_plan
from assets.events import AssetFailed
from core import notifications
from core.events import publish
from core.ids import uuid7
from core.notifications import NotificationKind, notify
from credits.events import CreditsLow
from jobs.models import Job
from notifications.models import Notification, NotificationPreference, OutgoingEmail
from notifications.services.preferences import change_preferences
from renders.events import BatchCompleted, RenderCancelled, RenderFailed, RenderSucceeded
from renders.models import Render
from renders.requests import RenderRequest
from renders.services.outcomes import close_cancelled, close_failed
from renders.services.submit import submit_render
from tests.factories import make_batch, make_edit, make_minted_key, make_render, make_user

pytestmark = pytest.mark.django_db


def notify_user(user, kind="service.notice", **fields) -> None:
    with transaction.atomic():
        notify(user_id=user.pk, kind=kind, **{"title": "T", **fields})


def test_uses_the_default_channels_of_the_kind(alice) -> None:
    notify_user(alice, "render.failed", body="B", resource="rnd_1")
    row = Notification.objects.get()
    assert (row.user, row.kind, row.title, row.body, row.resource) == (alice, "render.failed", "T", "B", "rnd_1")
    assert row.read_at is None
    assert not OutgoingEmail.objects.exists()
    notify_user(alice, "render.cancelled")
    assert Notification.objects.count() == 1
    notify_user(alice, "service.notice")
    assert (Notification.objects.count(), OutgoingEmail.objects.count()) == (2, 1)


def test_uses_the_channels_that_the_user_chose(alice) -> None:
    bob = make_user("bob", email="bob@owls.example")
    change_preferences(user=alice, changes={"render.failed": {"inbox": False, "email": True}})
    for user in (alice, bob):
        notify_user(user, "render.failed")
    assert [row.user for row in Notification.objects.all()] == [bob]
    assert [row.user for row in OutgoingEmail.objects.all()] == [alice]
    change_preferences(user=alice, changes={"render.failed": {"inbox": None, "email": False}})
    notify_user(alice, "render.failed")
    assert Notification.objects.filter(user=alice).count() == 1
    assert OutgoingEmail.objects.count() == 1


def test_sends_no_email_to_a_user_without_an_address() -> None:
    notify_user(make_user())
    assert (Notification.objects.count(), OutgoingEmail.objects.count(), Job.objects.count()) == (1, 0, 0)


def test_is_rolled_back_with_its_transaction(alice) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"), transaction.atomic():
        notify_user(alice)
        raise RuntimeError("changed my mind")
    assert not Notification.objects.exists()
    assert not OutgoingEmail.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_requires_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        notify(user_id=uuid7(), kind="render.failed", title="T")


def test_refuses_unregistered_kinds(alice) -> None:
    with pytest.raises(ValueError, match=r"render\.exploded"):
        notify_user(alice, "render.exploded")
    with pytest.raises(ValueError, match=r"render\.failed"):
        notifications.notification_kinds.register(NotificationKind("render.failed", "Something else"))
    with notifications.notifiers.override(), pytest.raises(RuntimeError, match="no notifier"):
        notifications.notifiers.clear()
        notify_user(alice)


def test_truncates_long_texts_and_removes_nul_characters(alice) -> None:
    notify_user(alice, title="a\r\nBcc: x@y\x00" + "t" * 300, body="b\x00" * 3000)
    row = Notification.objects.get()
    assert len(row.title) == 200
    assert row.title.startswith("a Bcc: x@yt")
    assert row.title.endswith("…")
    assert (len(row.body), row.body[:3], "\x00" in row.body) == (2000, "bbb", False)
    assert OutgoingEmail.objects.get().title == row.title


def test_notifies_once_of_the_end_of_a_render(alice) -> None:
    render = make_render(alice, status="queued", credits_reserved=0)
    submitted = submit_render(owner=alice, request=RenderRequest(edit=make_edit()))
    error = {"code": "asset_unreachable", "message": "No such host.", "retryable": True}
    assert close_failed(render_id=submitted.pk, error=error)
    assert not close_failed(render_id=submitted.pk, error=error)
    row = Notification.objects.get()
    assert (row.user, row.kind, row.resource) == (alice, "render.failed", submitted.public_id)
    assert (row.title, row.body) == ("Render failed: asset_unreachable", "No such host.")
    with transaction.atomic():
        publish(RenderSucceeded(render.pk, alice.pk, None, credits_charged=1))
    row = Notification.objects.get(kind="render.succeeded")
    assert (row.resource, row.title) == (render.public_id, "Render succeeded")


def test_notifies_once_for_all_renders_of_a_batch(alice) -> None:
    batch = make_batch(alice)
    one = make_render(alice, status="failed", batch=batch, error={"code": "x", "message": "m"})
    with transaction.atomic():
        publish(RenderFailed(one.pk, alice.pk, None, code="x"))
        publish(RenderSucceeded(make_render(alice, batch=batch).pk, alice.pk, None, credits_charged=1))
        publish(RenderCancelled(make_render(alice, batch=batch).pk, alice.pk, None))
        publish(BatchCompleted(batch.pk, alice.pk, None, 3, 1, 2, 0, 1))
    row = Notification.objects.get()
    assert (row.kind, row.title, row.body) == ("batch.completed", "Batch of 3 completed", "1 succeeded, 2 failed")
    assert row.resource == batch.public_id


def test_notifies_of_cancelled_renders_only_on_request(alice) -> None:
    first, second = (submit_render(owner=alice, request=RenderRequest(edit=make_edit())) for _ in range(2))
    close_cancelled(render_id=first.pk)
    assert not Notification.objects.exists()
    change_preferences(user=alice, changes={"render.cancelled": {"inbox": True}})
    close_cancelled(render_id=second.pk)
    assert Notification.objects.get().resource == second.public_id
    assert Render.objects.filter(status="cancelled").count() == 2


def test_notifies_of_credits_imports_deprecations_keys_and_plans(alice) -> None:
    asset_id, sunset = uuid7(), datetime(2027, 12, 31, tzinfo=UTC)
    with transaction.atomic():
        publish(CreditsLow(alice.pk, 95, 100))
        publish(AssetFailed(asset_id, alice.pk, "too_large", "Over the limit."))
        publish(DeprecatedCallSeen(alice.pk, "v1", 7, sunset))
        publish(DeprecatedCallSeen(alice.pk, "v1", 7, None))
        publish(SunsetApproaching(alice.pk, "v1", sunset, 30))
    key = make_minted_key(alice, name="nightly").key
    revoke_api_key(key=key)
    set_plan(user=alice, plan="pro")
    by_title = {row.title: row for row in Notification.objects.all()}
    assert len(by_title) == 6
    assert by_title["0.95 credits are left"].body == "That is less than 1.00."
    assert by_title["Import failed: too_large"].body == "Over the limit."
    assert by_title["Import failed: too_large"].resource.startswith("ast_")
    assert Notification.objects.filter(kind="api.deprecated").count() == 3
    assert by_title["v1, which your keys call, ends in 30 days"].body == "It ends on Fri, 31 Dec 2027 00:00:00 GMT."
    assert by_title["An API key was revoked"].resource == key.public_id
    assert key.key_prefix in by_title["An API key was revoked"].body
    assert by_title["Your plan is now pro"].body == "It was free."


def test_a_failing_subscriber_does_not_undo_the_render(alice) -> None:
    def fail(notification):
        raise ValueError("no inbox today")

    with notifications.notifiers.override():
        notifications.notifiers.clear()
        notifications.notifiers.register(fail)
        render = submit_render(owner=alice, request=RenderRequest(edit=make_edit()))
        assert close_failed(render_id=render.pk, error={"code": "x", "message": "m"})
    render.refresh_from_db()
    assert render.status == "failed"
    assert not Notification.objects.exists()


def test_a_notification_takes_two_queries(alice, django_assert_num_queries) -> None:
    with transaction.atomic(), django_assert_num_queries(2):
        notify(user_id=alice.pk, kind="render.failed", title="T")


def test_preferences_have_one_row_per_kind(alice) -> None:
    for wanted in (True, False, None):
        change_preferences(user=alice, changes={"render.failed": {"email": wanted}})
    assert list(NotificationPreference.objects.values_list("kind", "inbox", "email")) == [("render.failed", None, None)]
    change_preferences(user=alice, changes={"asset.failed": {}})
    assert NotificationPreference.objects.count() == 1
