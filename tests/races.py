"""Scenarios in which many threads want the same thing, on a real database.

SQLite in memory locks whole tables between threads, so on SQLite the scenarios run in a process of their own on a
file: `python -m tests.races` prints all their outcomes as JSON. On PostgreSQL the test calls `run` itself.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.automations import races as automation_races
from tests.race_threads import at_once


def ledger_state(user: Any) -> dict[str, Any]:
    from credits.models import CreditEntry
    from credits.selectors import balance_of, check_ledger

    balance = balance_of(user.pk)
    assert balance is not None
    kinds = CreditEntry.objects.filter(user=user).values_list("kind", flat=True)
    return {
        "balance": balance.available,
        "reserved": balance.reserved,
        "faults": len(list(check_ledger())),
        "kinds": dict(Counter(kinds)),
    }


def reserve_with_funds_for_ten() -> dict[str, Any]:
    """50 reservations of 1.00 against 10.00."""
    from credits import services
    from tests.factories import make_user

    user = make_user()

    def work(index: int) -> str:
        services.reserve(user_id=user.pk, amount=100, reference=f"render:{user.pk}:{index}")
        return "reserved"

    return {"outcomes": dict(Counter(at_once(work))), **ledger_state(user)}


def reserve_one_reference() -> dict[str, Any]:
    """50 times the same reservation, of all there is."""
    from credits import services
    from tests.factories import make_user

    user = make_user()

    def work(index: int) -> Any:
        return services.reserve(user_id=user.pk, amount=1000, reference=f"render:{user.pk}").pk

    return {"entries": len(set(at_once(work))), **ledger_state(user)}


def close_one_reservation() -> dict[str, Any]:
    """25 settlements and 25 refunds of one reservation."""
    from credits import services
    from tests.factories import make_user

    user = make_user()
    services.reserve(user_id=user.pk, amount=100, reference=f"render:{user.pk}")

    def work(index: int) -> Any:
        if index % 2:
            return services.refund(reference=f"render:{user.pk}").kind
        return services.settle(reference=f"render:{user.pk}", amount=40).kind

    return {"outcomes": dict(Counter(at_once(work))), **ledger_state(user)}


def deduct_over_http_with_funds_for_ten() -> dict[str, Any]:
    """50 deductions of 1.00 against 10.00, each with a key of its own, as a shop would post them."""
    from rest_framework.test import APIClient

    from tests.factories import make_api_key, make_user

    user = make_user()
    key = make_api_key(make_user(granted_scopes=["internal:credits"]), scopes=("internal:credits",))

    def work(index: int) -> str:
        client = APIClient(raise_request_exception=False, SERVER_NAME="localhost")
        body = {"user": user.username, "amount": "1.00", "reference": f"{user.pk}:{index}"}
        headers = {"X-API-Key": key, "Idempotency-Key": f'"{index}"'}
        return str(client.post("/internal/credits/deduct", body, headers=headers).status_code)

    return {"outcomes": dict(Counter(at_once(work))), **ledger_state(user)}


def refund_one_deduction() -> dict[str, Any]:
    """50 refunds of 1.00 against a deduction of 5.00."""
    from credits import services
    from tests.factories import make_user

    user = make_user()
    services.deduct(user_id=user.pk, amount=500, reference=f"order:{user.pk}")

    def work(index: int) -> str:
        services.refund_deduction(
            user_id=user.pk, deduction=f"order:{user.pk}", amount=100, reference=f"back:{user.pk}:{index}"
        )
        return "refunded"

    return {"outcomes": dict(Counter(at_once(work))), **ledger_state(user)}


def open_one_account() -> dict[str, Any]:
    """50 first looks at an account that nobody opened."""
    from accounts.models import User
    from credits import services

    user = User.objects.create_user("quiet")
    return {"accounts": len(set(at_once(lambda _: services.open_account(user_id=user.pk).pk))), **ledger_state(user)}


def make_keys_up_to_the_limit() -> dict[str, Any]:
    """50 keys for a plan that allows 5."""
    from accounts import services
    from accounts.models import ApiKey
    from tests.factories import make_user

    user = make_user(plan="starter")

    def work(index: int) -> str:
        services.create_api_key(user=user, scopes=["renders:read"], maker_scopes=user.scopes)
        return "made"

    return {"outcomes": dict(Counter(at_once(work))), "keys": ApiKey.objects.filter(user=user).count()}


def refresh_one_token() -> dict[str, Any]:
    """50 uses of one refresh token."""
    from accounts import services
    from accounts.models import RevokedToken
    from tests.factories import make_user

    user = make_user()
    refresh = services.log_in(username=user.username, password="correct horse battery").refresh

    def work(index: int) -> str:
        services.refresh_session(refresh=refresh)
        return "refreshed"

    outcomes = dict(Counter(at_once(work)))
    return {"outcomes": outcomes, "revoked": RevokedToken.objects.filter(user=user).count()}


def hold_against_delete() -> dict[str, Any]:
    """25 assets; each is held and deleted at the same moment. Counts of what became of them."""
    from assets import services
    from assets.models import Asset, AssetHold
    from tests.factories import make_asset, make_user

    user = make_user()
    assets = [make_asset(user) for _ in range(50 // 2)]

    def work(index: int) -> str:
        asset = assets[index // 2]
        if index % 2:
            services.delete_asset(asset=Asset(pk=asset.pk))
            return "deleted"
        services.hold(asset_ids=[asset.pk], reference=f"render:{asset.pk}", label="rnd_x")
        return "held"

    outcomes = at_once(work)
    pairs = Counter(f"{held}, {deleted}" for held, deleted in zip(outcomes[::2], outcomes[1::2], strict=True))
    return {
        "pairs": dict(pairs),
        "rows": Asset.objects.filter(owner=user).count(),
        "holds": AssetHold.objects.filter(asset__owner=user).count(),
    }


def share_against_delete() -> dict[str, Any]:
    """25 files; each is deleted, and removed from the storage, while a second upload of it comes in."""
    from assets import services
    from assets.models import Asset
    from assets.services.creation import _save_sharing
    from files.storage import blob_store
    from tests.factories import make_asset, make_user

    user = make_user()
    assets = [make_asset(user, content=f"film {user.pk} {number}".encode()) for number in range(50 // 2)]

    def work(index: int) -> str:
        old = assets[index // 2]
        if index % 2:
            services.delete_asset(asset=Asset(pk=old.pk))
            services.remove_unused_files(file=old.storage_key, poster="")
            return "deleted"
        new = Asset(owner=user, name="again", status="ready", sha256=old.sha256)
        return "shared" if _save_sharing(new) else "stored anew"

    outcomes = Counter(at_once(work))
    left = list(Asset.objects.filter(owner=user).values_list("storage_key", flat=True))
    return {
        "deleted": outcomes["deleted"],
        "others": sorted(set(outcomes) - {"deleted", "shared", "stored anew"}),
        "rows_match": len(left) == outcomes["shared"],
        "lost": sum(not blob_store().exists(key) for key in left),
        "leaked": sum(blob_store().exists(a.storage_key) for a in assets if a.storage_key not in left),
    }


def post_one_render() -> dict[str, Any]:
    """50 times the same POST with one idempotency key; then once more, in peace."""
    from rest_framework.test import APIClient

    from api.idempotency.models import IdempotencyKey
    from credits.models import CreditEntry
    from jobs.models import Job
    from renders.models import Render
    from tests.factories import make_api_key, make_edit, make_user

    user = make_user()
    headers = {"X-API-Key": make_api_key(user), "Idempotency-Key": '"race"'}
    edit = make_edit()
    bodies: set[bytes] = set()

    def work(index: int) -> str:
        client = APIClient(raise_request_exception=False, SERVER_NAME="localhost")
        answer = client.post("/api/v2/renders", {"edit": edit}, headers=headers)
        if answer.status_code == 202:
            bodies.add(answer.content)
            return "replayed" if "Idempotent-Replayed" in answer else "created"
        return f"{answer.status_code} {answer.json()['code']} {answer.get('Retry-After')}"

    outcomes = Counter(at_once(work))
    after = work(0)
    return {
        "outcomes": dict(outcomes),
        "after": after,
        "bodies": len(bodies),
        "renders": Render.objects.filter(owner=user).count(),
        "jobs": Job.objects.filter(user=user).count(),
        "debits": CreditEntry.objects.filter(user=user, kind="reserve").count(),
        "keys": list(IdempotencyKey.objects.filter(user=user).values_list("state", flat=True)),
        "balance": ledger_state(user)["balance"],
    }


def take_over_one_key() -> dict[str, Any]:
    """50 repeats of a request whose server died; its lock has passed."""
    from datetime import timedelta

    from django.db import transaction
    from django.utils import timezone

    from api.idempotency.models import IdempotencyKey
    from api.idempotency.services import Claim, KeyUse, StoredAnswer, claim_key, complete_key
    from renders.models import Project
    from tests.factories import make_project, make_user

    user = make_user()
    use = KeyUse(user.pk, "POST", "projects", "race", "f" * 64)
    claim_key(use=use)
    IdempotencyKey.objects.filter(user=user).update(locked_until=timezone.now() - timedelta(seconds=1))

    def work(index: int) -> str:
        claim = claim_key(use=use)
        if not isinstance(claim, Claim):
            return "replayed"
        with transaction.atomic():
            make_project(user)
            complete_key(claim=claim, answer=StoredAnswer(201, b"{}"))
        return "created"

    outcomes = Counter(at_once(work))
    return {
        "created": outcomes.pop("created"),
        "others": sorted(outcomes),
        "rows": Project.objects.filter(owner=user).count(),
    }


def end_all_renders_of_a_batch() -> dict[str, Any]:
    """50 renders of one batch end at one time, some of them by two hands at once."""
    from core.events import subscribe, subscriptions
    from credits.services import grant
    from jobs.models import Job
    from renders.batch_requests import BatchItem, BatchRequest
    from renders.events import BatchCompleted
    from renders.models import Batch, Render
    from renders.requests import RenderRequest
    from renders.services.batch_cancel import cancel_batch
    from renders.services.batches import accept_batch, prepare_batch
    from renders.services.outcomes import close_cancelled, close_failed
    from tests.factories import make_edit, make_user

    user = make_user()
    grant(user_id=user.pk, amount=1000, reference=f"race:{user.pk}")
    item = BatchItem(RenderRequest(edit=make_edit()), frozenset())
    request = BatchRequest("rows", [item] * (50 - 10))
    batch = accept_batch(owner=user, prepared=prepare_batch(owner=user, request=request))
    ids = list(Render.objects.filter(batch=batch).order_by("pk").values_list("pk", flat=True))
    told: list[BatchCompleted] = []

    def work(index: int) -> str:
        render_id = ids[index % len(ids)]
        if index in {7, 27}:
            cancel_batch(batch=batch)
            return "batch cancelled"
        if index % 2:
            return str(close_failed(render_id=render_id, error={"code": "race"}))
        return str(close_cancelled(render_id=render_id))

    with subscriptions.override():
        subscribe(BatchCompleted)(told.append)
        outcomes = Counter(at_once(work))
        cancel_batch(batch=batch)
    batch = Batch.objects.get(pk=batch.pk)
    statuses = Counter(Render.objects.filter(batch=batch).values_list("status", flat=True))
    event = told[0] if told else None
    return {
        "failures": outcomes[""],
        "told": len(told),
        "status": batch.status,
        # Counters: what is missing in one is a zero in the other, as where the cancelling was first.
        "counted": Counter(failed=batch.failed, cancelled=batch.cancelled) == statuses,
        "event": event is not None and (event.failed, event.cancelled) == (batch.failed, batch.cancelled),
        "ended": sum(statuses.values()),
        "jobs_left": Job.objects.filter(user=user, type="renders.render", status="running").count(),
        **{name: value for name, value in ledger_state(user).items() if name != "kinds"},
    }


def work_under_a_limit() -> dict[str, Any]:
    """50 jobs of one key with a limit of 3, enqueued, claimed and finished at one time."""
    from jobs import services, sql
    from jobs.models import Job
    from jobs.registry import Handler, handlers

    mine = Job.objects.filter(limit_key="race")
    seen: list[int] = []

    def work(index: int) -> str:
        services.enqueue(type="race.noop", queue="race", limit_key="race", limit_running=3)
        job = sql.claim(queue="race", worker=f"race/{index}", lease_s=60)
        seen.append(mine.filter(status__in=["queued", "running"]).count())
        if job is None:
            return "enqueued"
        services.finish(job=job)
        return "finished"

    with handlers.override(Handler(name="race.noop", run=lambda context: None)):
        outcomes = Counter(at_once(work))
        services.admit_blocked()
        left = 0
        while job := sql.claim(queue="race", worker="race/last", lease_s=60):
            services.finish(job=job)
            left += 1
    return {
        "most_at_work": max(seen),
        "failed": outcomes[""],
        "ended": outcomes["finished"] + left,
        "statuses": sorted(set(mine.values_list("status", flat=True))),
    }


def write_with_one_tag() -> dict[str, Any]:
    """50 changes of one template, and 50 of one project, each under the ETag that all have read."""
    from rest_framework.test import APIClient

    from tests.factories import make_api_key, make_project, make_template, make_user

    user = make_user()
    key = {"X-API-Key": make_api_key(user)}
    rows = {"templates": make_template(user), "projects": make_project(user)}
    found: dict[str, Any] = {}
    for kind, row in rows.items():
        path = f"/api/v2/{kind}/{row.public_id}"
        tag = APIClient(SERVER_NAME="localhost").get(path, headers=key)["ETag"]

        def work(index: int, path: str = path, tag: str = tag) -> str:
            client = APIClient(raise_request_exception=False, SERVER_NAME="localhost")
            answer = client.patch(path, {"name": f"name {index}"}, headers={**key, "If-Match": tag})
            return f"{answer.status_code} {answer.json().get('code') or answer.json()['name']}"

        outcomes = at_once(work)
        winners = [outcome for outcome in outcomes if outcome.startswith("200")]
        row.refresh_from_db()
        found[kind] = {
            "won": len(winners),
            "kept": winners == [f"200 {row.name}"],
            "others": sorted(set(outcomes) - set(winners)),
        }
    return found


def read_while_writing() -> dict[str, Any]:
    """Four read a kept list while one changes its row 25 times; nobody may see less than was acknowledged before."""
    import tempfile

    from django.test import override_settings
    from rest_framework.test import APIClient

    from tests.factories import make_api_key, make_project, make_user

    user = make_user()
    project = make_project(user, name="0")
    key = {"X-API-Key": make_api_key(user)}
    acknowledged, stop, kinds = [0], threading.Event(), Counter[str]()

    def write() -> str:
        client = APIClient(SERVER_NAME="localhost")
        try:
            for number in range(1, 26):
                path = f"/api/v2/projects/{project.public_id}"
                assert client.patch(path, {"name": str(number)}, headers=key).status_code == 200
                acknowledged[0] = number
        finally:
            stop.set()
        return "wrote"

    def read() -> str:
        client, tag, seen, stale = APIClient(SERVER_NAME="localhost"), "", 0, 0
        while not stop.is_set():
            before = acknowledged[0]
            answer = client.get("/api/v2/projects", headers={**key, "If-None-Match": tag})
            kinds[answer["X-Cache"]] += 1
            if answer.status_code == 200:
                tag, seen = answer["ETag"], int(answer.json()["data"][0]["name"])
            stale += seen < before
        return f"{stale} stale"

    with (
        tempfile.TemporaryDirectory() as folder,
        override_settings(RENDEROWL_ANSWER_CACHE=True, RENDEROWL_CACHE_URL=f"sqlite:///{folder}/cache.sqlite3"),
    ):
        outcomes = at_once(lambda index: read() if index else write(), 5)
    return {"outcomes": dict(Counter(outcomes)), "read": sum(kinds.values()) > 20, "kept": kinds["MISS"] > 0}


def _waiting_renders(count: int) -> list[Any]:
    from renders.requests import RenderRequest
    from renders.services.submit import submit_render
    from tests.factories import make_edit, make_user

    return [submit_render(owner=make_user(), request=RenderRequest(edit=make_edit())) for _ in range(count)]


def claim_for_elsewhere() -> dict[str, Any]:
    """50 workers elsewhere want one of 10 renders."""
    from jobs.models import Job
    from renders.external.claiming import WorkerIdentity, claim_render
    from renders.models import ExternalLease

    Job.objects.filter(queue="renders", status="queued").delete()
    renders = _waiting_renders(10)

    def work(index: int) -> str:
        claim = claim_render(worker=WorkerIdentity(f"race-{index}", "default"))
        return "nothing" if claim is None else str(claim.render.pk)

    outcomes = Counter(at_once(work))
    return {
        "nothing": outcomes.pop("nothing", 0),
        "all_given": set(outcomes) == {str(render.pk) for render in renders},
        "most_to_one_render": max(outcomes.values()),
        "leases": ExternalLease.objects.filter(render__in=renders).count(),
        "running": Job.objects.filter(pk__in=[render.job_id for render in renders], status="running").count(),
    }


def report_success_from_elsewhere() -> dict[str, Any]:
    """25 times one message of success, and 25 other messages of progress and failure, of one attempt."""
    from jobs.models import Job
    from renders.external.claiming import WorkerIdentity, claim_render
    from renders.external.messages import HeardMessage
    from renders.external.reports import Report, ReportStatus, take_report
    from renders.models import ExternalLease, Render, WorkerMessage
    from tests.renders.test_external_reports import FACTS

    Job.objects.filter(queue="renders", status="queued").delete()
    (render,) = _waiting_renders(1)
    claim = claim_render(worker=WorkerIdentity("race", "default"))
    assert claim is not None
    ExternalLease.objects.filter(pk=claim.lease.pk).update(output=FACTS)

    def work(index: int) -> str:
        status = ReportStatus.SUCCEEDED if index % 2 else ReportStatus.RENDERING
        message_id = "end" if index % 2 else f"step-{index}"
        message = HeardMessage("default", f"{message_id}-{render.pk.hex}", status.encode())
        answer = take_report(message=message, report=Report(render.pk, claim.token, status, percent=float(index)))
        return "duplicate" if answer.duplicate else f"{status}{' ignored' if answer.ignored else ''}"

    outcomes = Counter(at_once(work))
    render.refresh_from_db()
    return {
        "successes": outcomes["succeeded"] + outcomes["succeeded ignored"],
        "ended_by": outcomes["succeeded"],
        "duplicates": outcomes["duplicate"],
        "progress": outcomes["rendering"] + outcomes["rendering ignored"],
        "status": Render.objects.get(pk=render.pk).status,
        "job": Job.objects.get(pk=render.job_id).status,
        "messages": WorkerMessage.objects.filter(message_id__endswith=render.pk.hex).count(),
        "settled": ledger_state(render.owner)["kinds"],
    }


SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {
    scenario.__name__: scenario
    for scenario in (
        reserve_with_funds_for_ten,
        reserve_one_reference,
        close_one_reservation,
        deduct_over_http_with_funds_for_ten,
        refund_one_deduction,
        open_one_account,
        make_keys_up_to_the_limit,
        refresh_one_token,
        hold_against_delete,
        share_against_delete,
        post_one_render,
        take_over_one_key,
        end_all_renders_of_a_batch,
        work_under_a_limit,
        automation_races.fire_one_trigger,
        automation_races.tick_with_four_workers,
        automation_races.trigger_up_to_a_limit,
        automation_races.trigger_up_to_the_limit_of_an_account,
        automation_races.events_beside_ticks,
        claim_for_elsewhere,
        report_success_from_elsewhere,
        write_with_one_tag,
        read_while_writing,
    )
}


def run(name: str) -> dict[str, Any]:
    """Run a scenario on the configured database."""
    from django.core.handlers.wsgi import WSGIHandler

    # As a server does, before its threads are there: loaded by many clients at once, its metrics register twice.
    WSGIHandler()
    return SCENARIOS[name]()


def main() -> None:
    """Run every scenario in the database that the environment names."""
    from core.sqlite import install_newer_sqlite

    install_newer_sqlite()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    os.environ["RATE_LIMITS"] = "0"
    import django

    django.setup()
    print(json.dumps({name: run(name) for name in SCENARIOS}))


if __name__ == "__main__":
    main()
