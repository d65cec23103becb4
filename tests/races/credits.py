"""Credits: concurrent reservations, settlements and deductions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.races.ledger import ledger_state
from tests.races.threads import at_once


def reserve_with_funds_for_ten() -> dict[str, Any]:
    """Make 50 reservations of 1.00 against 10.00."""
    from credits import services
    from tests.factories import make_user

    user = make_user()

    def work(index: int) -> str:
        services.reserve(user_id=user.pk, amount=100, reference=f"render:{user.pk}:{index}")
        return "reserved"

    return {"outcomes": dict(Counter(at_once(work))), **ledger_state(user)}


def reserve_one_reference() -> dict[str, Any]:
    """Reserve the whole balance 50 times with one reference."""
    from credits import services
    from tests.factories import make_user

    user = make_user()

    def work(index: int) -> Any:
        return services.reserve(user_id=user.pk, amount=1000, reference=f"render:{user.pk}").pk

    return {"entries": len(set(at_once(work))), **ledger_state(user)}


def close_one_reservation() -> dict[str, Any]:
    """Settle one reservation 25 times and refund it 25 times."""
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
    """Make 50 deductions of 1.00 against 10.00 over HTTP, each with its own idempotency key."""
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
    """Refund 1.00 of a deduction of 5.00 50 times."""
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
    """Open the account of one user 50 times."""
    from accounts.models import User
    from credits import services

    user = User.objects.create_user("quiet")
    return {"accounts": len(set(at_once(lambda _: services.open_account(user_id=user.pk).pk))), **ledger_state(user)}
