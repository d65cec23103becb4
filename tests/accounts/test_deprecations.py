"""Counts of deprecated calls, and notices about them."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from smtplib import SMTPException

import pytest
from django.core import mail
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts import deprecated_calls, services
from accounts.deprecated_calls import DeprecatedCallCounter
from accounts.events import DeprecatedCallSeen, SunsetApproaching
from accounts.models import ApiKey, DeprecatedCall, DeprecationNotice
from accounts.selectors import owners_of_deprecated_calls
from accounts.services import deprecations
from accounts.services.deprecations import DeprecatedCallCount
from api import lifecycle
from api.deprecations import Deprecation
from core import events
from core.ids import uuid7
from jobs.registry import get_handler, schedules
from jobs.services import enqueue
from tests.factories import make_minted_key, make_user
from tests.jobs.inline import run_pending

DEPRECATED = datetime(2027, 1, 1, tzinfo=UTC)
SUNSET = datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)
V1 = Deprecation(1, "", DEPRECATED, SUNSET)
DAY = timedelta(days=1)


@pytest.fixture
def clock(monkeypatch, settings):
    """Deprecates version 1; returns a function that sets the time."""
    settings.RENDEROWL_API_DEPRECATIONS = (V1,)

    def set_clock(moment):
        monkeypatch.setattr(lifecycle, "now", lambda: moment)

    set_clock(DEPRECATED + DAY)
    return set_clock


@pytest.fixture
def counter(monkeypatch):
    fresh = DeprecatedCallCounter(lambda call_counts: services.record_deprecated_calls(call_counts=call_counts))
    monkeypatch.setattr(deprecated_calls, "counter", fresh)
    return fresh


@pytest.fixture
def published():
    seen = []
    with events.subscriptions.override():
        events.subscribe(DeprecatedCallSeen, SunsetApproaching)(seen.append)
        yield seen


def client_of(minted):
    return APIClient(headers={"X-API-Key": minted.plaintext})


def rows():
    return {(row.key_id, row.version, row.route): row.calls for row in DeprecatedCall.objects.all()}


def tally(key, calls=1, at=DEPRECATED + DAY, route="render-list", version=1):
    return DeprecatedCallCount(key.pk, version, route, calls, at, at)


def call(key, **fields):
    services.record_deprecated_calls(call_counts=[tally(key, **fields)])


@pytest.mark.django_db
class TestCounting:
    def test_calls_are_counted_by_key_and_route(self, clock, counter):
        first, second = make_minted_key(), make_minted_key()
        for _ in range(3):
            client_of(first).get("/api/v1/renders")
        client_of(first).get("/api/v1/me")
        client_of(first).get("/api/v1/renders?nonsense=1")
        client_of(second).get("/api/renders")
        client_of(second).get("/api/v2/renders")
        assert rows() == {}
        assert counter.flush() == 6
        assert rows() == {
            (first.key.pk, 1, "render-list"): 4,
            (first.key.pk, 1, "me"): 1,
            (second.key.pk, 1, "render-list"): 1,
        }
        row = DeprecatedCall.objects.first()
        assert row.first_called_at == row.last_called_at == DEPRECATED + DAY

    def test_later_counts_are_added(self, clock, counter):
        minted = make_minted_key()
        client_of(minted).get("/api/v1/me")
        counter.flush()
        clock(DEPRECATED + 9 * DAY)
        client_of(minted).get("/api/v1/me")
        counter.flush()
        row = DeprecatedCall.objects.get()
        assert (row.calls, row.first_called_at, row.last_called_at) == (2, DEPRECATED + DAY, DEPRECATED + 9 * DAY)
        assert counter.flush() == 0

    def test_nothing_is_counted_before_the_deprecation_or_after_the_sunset(self, clock, counter):
        minted = make_minted_key()
        for moment in (DEPRECATED - DAY, SUNSET + DAY):
            clock(moment)
            client_of(minted).get("/api/v1/me")
        assert counter.flush() == 0

    def test_calls_without_a_key_are_not_counted(self, clock, counter):
        user = make_user("alice")
        token = services.log_in(username="alice", password="correct horse battery").access
        assert APIClient(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/me").status_code == 200
        APIClient().get("/api/v1/me")
        APIClient(headers={"X-API-Key": "junk"}).get("/api/v1/me")
        assert (counter.flush(), user.api_keys.count()) == (0, 0)

    def test_counting_adds_no_query_to_a_request(self, clock, counter, django_assert_num_queries):
        client = client_of(make_minted_key())
        client.get("/api/v1/me")
        with django_assert_num_queries(1):
            client.get("/api/v1/me")

    def test_counts_of_a_deleted_key_are_dropped(self):
        existing = make_minted_key().key
        services.record_deprecated_calls(call_counts=[tally(ApiKey(pk=uuid7())), tally(existing, calls=5)])
        assert rows() == {(existing.pk, 1, "render-list"): 5}

    def test_concurrent_first_counts_are_both_added(self, monkeypatch):
        key = make_minted_key().key
        add = deprecations._add_to_row
        turns = iter([lambda each: 0, add])

        def race(each):
            step = next(turns)
            if step is not add:
                DeprecatedCall.objects.create(
                    key=key, version=1, route="render-list", calls=10, first_called_at=SUNSET, last_called_at=SUNSET
                )
            return step(each)

        monkeypatch.setattr(deprecations, "_add_to_row", race)
        call(key, calls=7)
        assert rows() == {(key.pk, 1, "render-list"): 17}


class TestCounter:
    def test_counts_are_exact_with_concurrent_adds_and_flushes(self):
        written: dict[tuple, int] = {}
        lock = threading.Lock()

        def write(call_counts):
            with lock:
                for each in call_counts:
                    written[each.key_id, each.route] = written.get((each.key_id, each.route), 0) + each.calls

        counter = DeprecatedCallCounter(write)
        keys = [uuid7() for _ in range(3)]

        def work(number):
            for turn in range(500):
                counter.add(keys[turn % 3], 1, f"route-{number % 2}", SUNSET)
                if turn % 50 == number:
                    counter.flush()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counter.flush()
        per_thread = {keys[0]: 167, keys[1]: 167, keys[2]: 166}
        assert written == {(key, f"route-{n}"): 4 * count for key, count in per_thread.items() for n in (0, 1)}

    def test_counts_survive_a_failed_write(self, caplog):
        written = []
        answers = [DatabaseError("gone"), None]

        def write(call_counts):
            if error := answers.pop(0):
                counter.add(key, 1, "me", SUNSET)  # a call during the failing write
                raise error
            written.extend(call_counts)

        counter, key = DeprecatedCallCounter(write), uuid7()
        counter.add(key, 1, "me", DEPRECATED)
        assert counter.flush() == 0
        assert "not written yet" in caplog.text
        assert counter.flush() == 2
        assert written == [DeprecatedCallCount(key, 1, "me", 2, DEPRECATED, SUNSET)]

    def test_a_background_thread_flushes(self, settings):
        settings.RENDEROWL_DEPRECATED_CALLS_FLUSH_S = 0.01
        done = threading.Event()
        counter = DeprecatedCallCounter(lambda call_counts: done.set())
        counter.add(uuid7(), 1, "me", SUNSET)
        assert done.wait(10)
        assert [t.name for t in threading.enumerate()].count("deprecated-calls") == 1

    def test_a_forked_process_starts_empty(self):
        counter = DeprecatedCallCounter(lambda call_counts: None)
        counter.add(uuid7(), 1, "me", SUNSET)
        counter._reset()
        assert counter.flush() == 0


@pytest.mark.django_db
class TestNotices:
    @pytest.fixture
    def key(self, clock):
        return make_minted_key(make_user("alice", email="alice@owls.example")).key

    def announce(self, moment):
        made = services.announce_deprecations(now=moment)
        services.send_deprecation_emails(now=moment)
        return made

    def kinds(self):
        return list(DeprecationNotice.objects.order_by("created_at").values_list("kind", flat=True))

    def test_users_without_calls_get_no_notice(self, key, published):
        assert self.announce(DEPRECATED + DAY) == 0
        assert (published, mail.outbox) == ([], [])

    def test_an_owner_gets_one_notice_per_stage(self, key, published):
        call(key, calls=3)
        other = make_minted_key(key.user).key
        call(other, calls=2)
        moments = [DEPRECATED + 2 * DAY, *(SUNSET - timedelta(days=days) for days in (90, 30, 7))]
        for moment in moments:
            for wait in (timedelta(0), timedelta(hours=1), 2 * DAY):
                self.announce(moment + wait)
        assert self.kinds() == ["first_use", "days_90", "days_30", "days_7"]
        user = key.user_id
        assert published == [
            DeprecatedCallSeen(user, "v1", 5, SUNSET),
            SunsetApproaching(user, "v1", SUNSET, 90),
            SunsetApproaching(user, "v1", SUNSET, 30),
            SunsetApproaching(user, "v1", SUNSET, 7),
        ]
        assert [email.subject for email in mail.outbox] == [
            "Renderowl: version 1 is deprecated",
            *(f"Renderowl: version 1 ends in less than {days} days" for days in (90, 30, 7)),
        ]
        assert {tuple(email.to) for email in mail.outbox} == {("alice@owls.example",)}

    def test_the_email_says_what_to_do(self, key, settings):
        settings.PUBLIC_URL = "https://render.example"
        call(key, calls=3)
        self.announce(DEPRECATED + 2 * DAY)
        text = mail.outbox[0].body
        for part in ("3 calls", "Fri, 31 Dec 2027 23:59:59 GMT", "https://render.example/docs/migrate-v2"):
            assert part in text

    def test_no_notice_before_a_stage_begins(self, key):
        call(key)
        self.announce(DEPRECATED + 2 * DAY)
        self.announce(SUNSET - timedelta(days=90, seconds=1))
        assert self.kinds() == ["first_use"]

    def test_after_a_pause_only_the_latest_stage_is_announced(self, key):
        call(key)
        self.announce(DEPRECATED + 2 * DAY)
        self.announce(SUNSET - timedelta(days=5))
        assert self.kinds() == ["first_use", "days_7"]

    def test_a_late_first_notice_replaces_the_current_stage(self, key):
        late = SUNSET - timedelta(days=20)
        call(key, at=late)
        self.announce(late)
        self.announce(late + DAY)
        assert self.kinds() == ["first_use"]
        self.announce(SUNSET - timedelta(days=6))
        assert self.kinds() == ["first_use", "days_7"]

    def test_a_changed_sunset_is_announced_again(self, key, settings):
        call(key)
        self.announce(DEPRECATED + 2 * DAY)
        self.announce(SUNSET - timedelta(days=20))
        settings.RENDEROWL_API_DEPRECATIONS = (Deprecation(1, "", DEPRECATED, SUNSET + timedelta(days=100)),)
        self.announce(SUNSET + timedelta(days=80))
        assert self.kinds() == ["first_use", "days_30", "days_30"]

    @pytest.mark.parametrize("moment", [DEPRECATED - DAY, SUNSET + DAY])
    def test_no_notice_before_the_deprecation_or_after_the_sunset(self, key, moment):
        call(key, at=DEPRECATED - 2 * DAY if moment < DEPRECATED else SUNSET - DAY)
        assert self.announce(moment) == 0

    def test_no_notice_for_calls_before_the_deprecation(self, key):
        call(key, at=DEPRECATED - DAY)
        assert self.announce(DEPRECATED + DAY) == 0

    def test_no_notice_for_revoked_keys(self, key):
        call(key)
        services.revoke_api_key(key=key)
        assert self.announce(DEPRECATED + DAY) == 0

    def test_the_deprecation_of_a_route_concerns_only_that_route(self, key, settings):
        settings.RENDEROWL_API_DEPRECATIONS = (Deprecation(2, "render-log", DEPRECATED, SUNSET),)
        bob = make_minted_key(make_user("bob", email="bob@owls.example")).key
        call(key, route="render-list", version=2)
        call(bob, route="render-log", version=2)
        assert self.announce(DEPRECATED + DAY) == 1
        assert mail.outbox[0].to == ["bob@owls.example"]
        assert mail.outbox[0].subject == "Renderowl: route render-log of version 2 is deprecated"

    def test_owners_without_an_address_get_the_event_only(self, clock, published):
        call(make_minted_key(make_user("program")).key)
        assert self.announce(DEPRECATED + DAY) == 1
        assert (len(published), mail.outbox) == (1, [])

    def test_an_email_that_cannot_be_sent_is_retried(self, key, monkeypatch, caplog):
        call(key)
        start = DEPRECATED + DAY
        services.announce_deprecations(now=start)

        def refuse(*args, **kwargs):
            raise SMTPException("no")

        with monkeypatch.context() as broken:
            broken.setattr(deprecations, "send_mail", refuse)
            assert services.send_deprecation_emails(now=start) == 0
        assert "not delivered" in caplog.text
        assert services.send_deprecation_emails(now=start + timedelta(minutes=59)) == 0
        assert services.send_deprecation_emails(now=start + timedelta(hours=1)) == 1
        assert services.send_deprecation_emails(now=start + 9 * DAY) == 0
        notice = DeprecationNotice.objects.get()
        assert (notice.email_due_at, notice.emailed_at, len(mail.outbox)) == (None, start + timedelta(hours=1), 1)

    def test_no_email_is_sent_after_the_sunset(self, key, settings):
        call(key)
        services.announce_deprecations(now=DEPRECATED + DAY)
        assert services.send_deprecation_emails(now=SUNSET + DAY) == 0
        assert DeprecationNotice.objects.get().email_due_at is None

    def test_the_scheduled_job_announces_and_sends(self, key, published):
        call(key)
        handler = get_handler("monitoring.announce_deprecations")
        assert handler.name in {schedule.type for schedule in schedules.values()}
        job = enqueue(type=handler.name, payload={})
        run_pending()
        job.refresh_from_db()
        assert (job.status, job.result) == ("succeeded", {"notices": 1, "emails": 1})
        assert (len(published), len(mail.outbox)) == (1, 1)


@pytest.mark.django_db
class TestScreens:
    @pytest.fixture
    def rows_of_many(self, clock):
        for number in range(12):
            key = make_minted_key(make_user(f"owner{number}", email=f"o{number}@owls.example")).key
            call(key, calls=number + 1)
        services.announce_deprecations(now=DEPRECATED + DAY)

    @pytest.mark.parametrize("model", ["deprecatedcall", "deprecationnotice"])
    def test_staff_can_view_but_not_change(self, rows_of_many, model, django_assert_max_num_queries):
        client = Client()
        client.force_login(make_user("root", is_staff=True, is_superuser=True))
        listed = reverse(f"admin:accounts_{model}_changelist")
        with django_assert_max_num_queries(10):
            page = client.get(listed)
        assert "owner7" in page.content.decode()
        found = client.get(listed, {"q": "owner7"}).content.decode()
        assert "owner7" in found
        assert "owner3" not in found
        row = {"deprecatedcall": DeprecatedCall, "deprecationnotice": DeprecationNotice}[model].objects.first()
        assert client.get(reverse(f"admin:accounts_{model}_change", args=[row.pk])).status_code == 200
        assert client.get(reverse(f"admin:accounts_{model}_add")).status_code == 403
        unprivileged = Client()
        unprivileged.force_login(make_user("ops", is_staff=True))
        assert unprivileged.get(listed).status_code == 403

    def test_indexes_serve_their_queries(self, rows_of_many):
        keys = [make_minted_key().key for _ in range(3)]
        DeprecatedCall.objects.bulk_create(
            DeprecatedCall(key=key, version=2, route=f"r{n}", calls=1, first_called_at=SUNSET, last_called_at=SUNSET)
            for key in keys
            for n in range(200)
        )
        DeprecationNotice.objects.bulk_create(
            DeprecationNotice(user=keys[0].user, subject=f"v2:r{n}", kind="first_use", calls=1) for n in range(600)
        )
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("ANALYZE")
        key = keys[0]
        calls, notices = DeprecatedCall.objects, DeprecationNotice.objects
        queries = {
            "idx_deprecated_calls_unique": calls.filter(key_id=key.pk, version=2, route="r7"),
            "idx_deprecated_calls_last": calls.order_by("-last_called_at")[:50],
            "idx_deprecated_calls_version": calls.filter(version=1, last_called_at__gte=DEPRECATED),
            "idx_deprecation_notices_unique": notices.filter(subject="v1"),
            "idx_deprecation_notices_created": notices.order_by("-created_at")[:50],
            "idx_deprecation_notices_email": notices.filter(email_due_at__lte=SUNSET),
        }
        assert {name: plan for name, query in queries.items() if name not in (plan := query.explain())} == {}
        assert len(owners_of_deprecated_calls(V1)) == 12


def test_adding_is_cheap():
    counter = DeprecatedCallCounter(lambda call_counts: None)
    keys = [uuid7() for _ in range(100)]
    started = time.perf_counter()
    for turn in range(10_000):
        counter.add(keys[turn % 100], 1, "render-list", SUNSET)
    assert (time.perf_counter() - started) / 10_000 < 100e-6
