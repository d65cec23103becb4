"""Scenarios in which many threads want the same thing, on a real database.

SQLite in memory locks whole tables between threads, so on SQLite the scenarios run in a process of their own on a
file: `python -m tests.races` migrates it and prints all outcomes as JSON. On PostgreSQL the test calls `run` itself.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

THREADS = 50


def at_once(work: Callable[[int], Any], count: int = THREADS) -> list[str]:
    """Call `work(0..count-1)` in threads that start together; return results, or names of DomainErrors.

    Any other error leaves an empty outcome, which no test expects.
    """
    from django.db import connections

    from core.exceptions import DomainError

    barrier = threading.Barrier(count)
    outcomes: list[str] = [""] * count

    def run_one(index: int) -> None:
        barrier.wait()
        try:
            outcomes[index] = str(work(index))
        except DomainError as error:
            outcomes[index] = type(error).__name__
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run_one, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "the threads wait for each other"
    return outcomes


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
    assets = [make_asset(user) for _ in range(THREADS // 2)]

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
    from core.storage import blob_store
    from tests.factories import make_asset, make_user

    user = make_user()
    assets = [make_asset(user, content=f"film {user.pk} {number}".encode()) for number in range(THREADS // 2)]

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

    from core.idempotency.models import IdempotencyKey
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

    from core.idempotency.models import IdempotencyKey
    from core.idempotency.services import Claim, KeyUse, StoredAnswer, claim_key, complete_key
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


def work_under_a_limit() -> dict[str, Any]:
    """50 jobs of one key with a limit of 3, enqueued, claimed and finished at one time."""
    from jobs import services
    from jobs.models import Job
    from jobs.registry import Handler, register, unregister
    from jobs.sql import run as sql

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

    register(Handler(name="race.noop", run=lambda context: None))
    try:
        outcomes = Counter(at_once(work))
        services.admit_blocked()
        left = 0
        while job := sql.claim(queue="race", worker="race/last", lease_s=60):
            services.finish(job=job)
            left += 1
    finally:
        unregister("race.noop")
    return {
        "most_at_work": max(seen),
        "failed": outcomes[""],
        "ended": outcomes["finished"] + left,
        "statuses": sorted(set(mine.values_list("status", flat=True))),
    }


SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {
    scenario.__name__: scenario
    for scenario in (
        reserve_with_funds_for_ten,
        reserve_one_reference,
        close_one_reservation,
        open_one_account,
        make_keys_up_to_the_limit,
        refresh_one_token,
        hold_against_delete,
        share_against_delete,
        post_one_render,
        take_over_one_key,
        work_under_a_limit,
    )
}


def run(name: str) -> dict[str, Any]:
    """Run a scenario on the configured database."""
    return SCENARIOS[name]()


def main() -> None:
    """Run every scenario in the database that the environment names, which is migrated first."""
    from core.sqlite import install_newer_sqlite

    install_newer_sqlite()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    os.environ["RATE_LIMITS"] = "0"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)
    print(json.dumps({name: run(name) for name in SCENARIOS}))


if __name__ == "__main__":
    main()
