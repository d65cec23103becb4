"""Idempotency keys: claim, completion, release, takeover, expiry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from api.idempotency.exceptions import IdempotencyInProgress, IdempotencyMismatch
from api.idempotency.models import IdempotencyKey, IdempotencyState
from api.idempotency.services import (
    IdempotencyClaim,
    KeyedRequest,
    StoredResponse,
    claim_key,
    complete_key,
    release_key,
)
from core.retention import retentions
from jobs.registry import get_handler, schedules
from renders.models import Project
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
ANSWER = StoredResponse(201, b'{"id":"prj_1"}', {"Location": "/api/v2/projects/prj_1"})


@pytest.fixture
def use() -> KeyedRequest:
    return KeyedRequest(make_user("alice").pk, "POST", "projects", "k", "f" * 64)


def other(use: KeyedRequest, **changes) -> KeyedRequest:
    fields = {name: getattr(use, name) for name in ("user_id", "method", "route", "key", "fingerprint")}
    return KeyedRequest(**{**fields, **changes})


def claimed(use: KeyedRequest) -> IdempotencyClaim:
    claim = claim_key(use=use)
    assert isinstance(claim, IdempotencyClaim)
    return claim


def completed(use: KeyedRequest) -> IdempotencyClaim:
    claim = claimed(use)
    with transaction.atomic():
        complete_key(claim=claim, response=ANSWER)
    return claim


def lapse(**past) -> None:
    IdempotencyKey.objects.update(**{name: timezone.now() - timedelta(seconds=1) for name in past or ("locked_until",)})


def test_a_first_request_claims_the_key_for_a_minute(use) -> None:
    before = timezone.now()
    claim = claimed(use)
    row = IdempotencyKey.objects.get()
    assert (row.pk, row.owner_token, row.state) == (claim.row_id, claim.token, IdempotencyState.IN_PROGRESS)
    assert before + timedelta(seconds=60) <= row.locked_until <= timezone.now() + timedelta(seconds=60)
    assert row.body is row.status_code is row.completed_at is None


def test_a_concurrent_repeat_is_refused_without_writing(use) -> None:
    claimed(use)
    with CaptureQueriesContext(connection) as queries, pytest.raises(IdempotencyInProgress) as refusal:
        claim_key(use=use)
    assert len(queries) == 1
    assert refusal.value.retry_after_s == 1


def test_a_repeat_gets_the_stored_response_for_a_day(use) -> None:
    completed(use)
    before = timezone.now()
    assert claim_key(use=use) == ANSWER
    row = IdempotencyKey.objects.get()
    assert row.completed_at is not None
    assert abs(row.expires_at - before - timedelta(hours=24)) < timedelta(seconds=5)


@pytest.mark.parametrize("state", ["in progress", "completed"])
def test_another_request_under_the_key_is_refused(use, state) -> None:
    completed(use) if state == "completed" else claimed(use)
    with pytest.raises(IdempotencyMismatch):
        claim_key(use=other(use, fingerprint="0" * 64))


@pytest.mark.parametrize("change", [{"method": "PUT"}, {"route": "templates"}, {"key": "K"}, {"user_id": None}])
def test_a_key_is_scoped_to_account_method_and_route(use, change) -> None:
    completed(use)
    if "user_id" in change:
        change = {"user_id": make_user("bob").pk}
    claimed(other(use, **change))
    assert IdempotencyKey.objects.count() == 2


def test_a_claim_with_an_expired_lock_is_taken_over(use) -> None:
    late = claimed(use)
    lapse()
    heir = claimed(use)
    assert heir.row_id == late.row_id
    assert heir.token != late.token
    with pytest.raises(IdempotencyInProgress):
        claim_key(use=use)


def test_a_late_owner_rolls_back(use) -> None:
    user = make_user("charlie")
    late = claimed(use)
    lapse()
    heir = claimed(use)
    with pytest.raises(IdempotencyInProgress), transaction.atomic():
        make_project(user)
        complete_key(claim=late, response=StoredResponse(201, b"late"))
    assert not Project.objects.exists()
    release_key(claim=late)
    with transaction.atomic():
        complete_key(claim=heir, response=ANSWER)
    assert claim_key(use=use) == ANSWER
    release_key(claim=heir)
    assert claim_key(use=use) == ANSWER


def having_seen(monkeypatch, seen) -> None:
    """Make the next look-up of a key return an outdated row."""
    rows = type(IdempotencyKey.objects.all())
    look, stale = rows.first, [seen]
    monkeypatch.setattr(rows, "first", lambda self: stale.pop() if stale else look(self))


def test_one_of_two_takes_over(use, monkeypatch) -> None:
    claimed(use)
    lapse()
    lapsed = IdempotencyKey.objects.get()
    heir = claimed(use)
    having_seen(monkeypatch, lapsed)
    with pytest.raises(IdempotencyInProgress):
        claim_key(use=use)
    assert IdempotencyKey.objects.get().owner_token == heir.token


def test_one_of_two_inserts(use, monkeypatch) -> None:
    completed(use)
    having_seen(monkeypatch, None)
    assert claim_key(use=use) == ANSWER
    assert IdempotencyKey.objects.count() == 1


def test_a_released_key_can_be_claimed_by_another_request(use) -> None:
    release_key(claim=claimed(use))
    assert not IdempotencyKey.objects.exists()
    claimed(other(use, fingerprint="0" * 64))


def test_an_expired_key_can_be_claimed_again(use) -> None:
    old = completed(use)
    lapse(expires_at=True)
    new = claimed(other(use, fingerprint="0" * 64))
    assert (new.row_id, new.token != old.token) == (old.row_id, True)
    row = IdempotencyKey.objects.get()
    assert (row.state, row.body, row.fingerprint) == (IdempotencyState.IN_PROGRESS, None, "0" * 64)


def test_completes_only_in_a_transaction(use, transactional_db) -> None:
    claim = claimed(use)
    with pytest.raises(RuntimeError):
        complete_key(claim=claim, response=ANSWER)


def test_claims_only_outside_of_a_transaction(use, transactional_db) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        claim_key(use=use)


def test_the_cleanup_deletes_expired_keys_in_batches(use) -> None:
    for number in range(5):
        completed(other(use, key=f"old{number}"))
    lapse(expires_at=True)
    completed(use)
    claimed(other(use, key="new"))
    assert retentions["idempotency keys"].delete_batch(timezone.now(), limit=3) == 3
    assert retentions["idempotency keys"].delete_batch(timezone.now(), limit=3) == 2
    assert retentions["idempotency keys"].delete_batch(timezone.now()) == 0
    assert sorted(IdempotencyKey.objects.values_list("key", flat=True)) == ["k", "new"]


def test_the_cleanup_is_a_scheduled_job(use) -> None:
    completed(use)
    lapse(expires_at=True)

    class Context:
        def check(self) -> None:
            pass

    schedule = next(schedule for schedule in schedules.values() if schedule.type == "core.delete_old_rows")
    assert schedule.cron.endswith("* * * *")
    assert get_handler(schedule.type).run(Context())["idempotency keys"] == 1
    assert not IdempotencyKey.objects.exists()


def test_the_cleanup_uses_its_index(use) -> None:
    completed(use)
    rows = IdempotencyKey.objects.filter(expires_at__lte=timezone.now()).order_by("expires_at").values_list("pk")[:10]
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "idx_idempotency_expires" in rows.explain()


@pytest.mark.parametrize(
    ("seconds", "fits"), [(3599, False), (3600, True), (30 * 86400, True), (30 * 86400 + 1, False)]
)
def test_a_retention_outside_of_an_hour_and_a_month_is_refused(settings, seconds, fits) -> None:
    settings.RENDEROWL_IDEMPOTENCY_RETENTION_S = seconds
    found = [message.id for message in run_checks(tags=["compatibility"])]
    assert ("renderowl.E010" not in found) == fits


def test_staff_read_keys_and_change_nothing(use) -> None:
    row = IdempotencyKey.objects.get(pk=completed(use).row_id)
    staff = Client()
    staff.force_login(make_user("root", is_staff=True, is_superuser=True))
    listing = staff.get(reverse("admin:api_idempotencykey_changelist"), {"q": "k"})
    assert listing.status_code == 200
    assert b"projects" in listing.content
    detail = staff.get(reverse("admin:api_idempotencykey_change", args=[row.pk]))
    assert b"prj_1" in detail.content
    assert b'name="_save"' not in detail.content
    assert staff.get(reverse("admin:api_idempotencykey_add")).status_code == 403
    assert staff.post(reverse("admin:api_idempotencykey_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_staff_without_the_right_see_no_keys(use) -> None:
    staff = Client()
    staff.force_login(make_user("ops", is_staff=True))
    assert staff.get(reverse("admin:api_idempotencykey_changelist")).status_code == 403
