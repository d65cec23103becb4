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

    threads = [threading.Thread(target=run_one, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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


SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {
    scenario.__name__: scenario
    for scenario in (
        reserve_with_funds_for_ten,
        reserve_one_reference,
        close_one_reservation,
        open_one_account,
        make_keys_up_to_the_limit,
        refresh_one_token,
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
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)
    print(json.dumps({name: run(name) for name in SCENARIOS}))


if __name__ == "__main__":
    main()
