"""API: idempotency keys, ETags, and reads during writes."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from tests.races.ledger import ledger_state
from tests.races.threads import at_once


def post_one_render() -> dict[str, Any]:
    """Send the same POST 50 times with one idempotency key, then once more on its own."""
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
    """Repeat a request 50 times whose server died and whose lock has expired."""
    from datetime import timedelta

    from django.db import transaction
    from django.utils import timezone

    from api.idempotency.models import IdempotencyKey
    from api.idempotency.services import IdempotencyClaim, KeyedRequest, StoredResponse, claim_key, complete_key
    from renders.models import Project
    from tests.factories import make_project, make_user

    user = make_user()
    use = KeyedRequest(user.pk, "POST", "projects", "race", "f" * 64)
    claim_key(use=use)
    IdempotencyKey.objects.filter(user=user).update(locked_until=timezone.now() - timedelta(seconds=1))

    def work(index: int) -> str:
        claim = claim_key(use=use)
        if not isinstance(claim, IdempotencyClaim):
            return "replayed"
        with transaction.atomic():
            make_project(user)
            complete_key(claim=claim, response=StoredResponse(201, b"{}"))
        return "created"

    outcomes = Counter(at_once(work))
    return {
        "created": outcomes.pop("created"),
        "others": sorted(outcomes),
        "rows": Project.objects.filter(owner=user).count(),
    }


def write_with_one_tag() -> dict[str, Any]:
    """Change a template 50 times, and a project 50 times, all with the same If-Match."""
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
    """Read a cached list in four threads while one changes its row 25 times; count stale reads."""
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
        override_settings(RENDEROWL_RESPONSE_CACHE=True, RENDEROWL_CACHE_URL=f"sqlite:///{folder}/cache.sqlite3"),
    ):
        outcomes = at_once(lambda index: read() if index else write(), 5)
    return {"outcomes": dict(Counter(outcomes)), "read": sum(kinds.values()) > 20, "kept": kinds["MISS"] > 0}
