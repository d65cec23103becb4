"""Servers killed between request and answer: with its key, a repeated POST never makes a second render or debit.

Several requests are in flight at each kill. `KILLS=100 pytest tests/acceptance/test_killed_server.py` kills 100 servers
on each database, instead of a few. No acknowledged request is lost, the database is intact, the ledger adds up.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests

from renderowl.local.processes import free_port
from tests.acceptance.installation import Installation, postgres_database
from tests.commands import ROOT
from tests.factories import make_edit

KILLS = {name: int(os.environ.get("KILLS", usual)) for name, usual in (("sqlite", 6), ("postgresql", 4))}
LANES = 2
IN_FLIGHT = 4
LOCK_S = 1
LIMIT_S = 60

# Its check comes between the claim of the key and the work, and is long enough for many kills to happen in it.
EDIT = make_edit()
CLIP = EDIT["timeline"]["tracks"][0]["clips"][0]
EDIT["timeline"]["tracks"][0]["clips"] = [{**CLIP, "start": start} for start in range(50)]

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(max(280, max(KILLS.values()) * 10)),
]


class Victim:
    """A server on a port of its own, warmed up, that `kill` ends with all its processes."""

    def __init__(self, installation: Installation, key: str) -> None:
        self.base = f"http://127.0.0.1:{free_port()}"
        with (installation.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"),
                    *("--port", self.base.rpartition(":")[2], "--workers", "1", "--blocking-threads", str(IN_FLIGHT)),
                    *("--log-level", "error", "renderowl.wsgi:application"),
                ],
                cwd=ROOT,
                env=installation.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-API-Key"] = installation.key
        self.session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=IN_FLIGHT))
        installation.wait(self.serves, seconds=LIMIT_S)
        # The first requests load code; another user sends them, so that they do not count.
        self.usual_s = min(self.submit(uuid4().hex, api_key=key).elapsed.total_seconds() for _ in range(3))

    def serves(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return self.session.get(f"{self.base}/live", timeout=2).ok
        return False

    def submit(self, key: str, *, api_key: str = "") -> requests.Response:
        headers = {"Idempotency-Key": f'"{key}"', **({"X-API-Key": api_key} if api_key else {})}
        return self.session.post(f"{self.base}/api/v2/renders", json={"edit": EDIT}, headers=headers, timeout=LIMIT_S)

    def kill_during(self, keys: list[str], after: float) -> dict[str, requests.Response]:
        """Submit under all keys at once, and kill the server meanwhile; return the answers that arrived before."""

        def send(key: str) -> tuple[str, requests.Response] | None:
            with contextlib.suppress(requests.RequestException):
                return key, self.submit(key)

        with ThreadPoolExecutor(len(keys)) as pool:
            sent = [pool.submit(send, key) for key in keys]
            threading.Event().wait(self.usual_s * after)
            self.kill()
            return dict(answer for future in sent if (answer := future.result()) is not None)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # The worker processes end a moment after their group was killed.
        until = time.monotonic() + 10
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < until:
                os.killpg(self.process.pid, 0)


def kill_in_turn(installation: Installation, count: int, chance: random.Random, warm_up_key: str) -> Counter[str]:
    """Kill servers one after the other; repeat the open requests on the next. Returns the counts of their states."""
    found: Counter[str] = Counter()
    victim = Victim(installation, warm_up_key)
    try:
        for _ in range(count):
            keys = [uuid4().hex for _ in range(IN_FLIGHT)]
            answers = victim.kill_during(keys, chance.uniform(0.0, 1.2 * IN_FLIGHT))
            states = states_of(installation, keys)
            victim = Victim(installation, warm_up_key)
            for key in keys:
                settle(victim, key, states[key], answers.get(key))
                found["answered" if key in answers else states[key]] += 1
    finally:
        victim.kill()
    return found


def states_of(installation: Installation, keys: list[str]) -> dict[str, str]:
    """Return the state of each key after the kill."""
    names = ", ".join(f"'{key}'" for key in keys)
    rows = installation.query(f"SELECT key, state FROM api_idempotencykey WHERE key IN ({names})")
    return {**dict.fromkeys(keys, "not begun"), **dict(rows)}


def settle(victim: Victim, key: str, state: str, answer: requests.Response | None) -> None:
    """Repeat a request until it is accepted: carried out, or replayed where it was completed before."""
    until = time.monotonic() + 10 * LOCK_S
    while (again := victim.submit(key)).status_code == 409:
        assert (state, again.json()["code"]) == ("in_progress", "idempotency_in_progress")
        assert time.monotonic() < until, "the lock does not expire"
        threading.Event().wait(0.05)
    assert again.status_code == 202, again.text
    assert ("Idempotent-Replayed" in again.headers) == (state == "completed")
    if answer is not None:
        assert state == "completed"
        assert (again.content, again.headers["Location"]) == (answer.content, answer.headers["Location"])
    assert victim.submit(key).content == again.content


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request, tmp_path) -> Iterator[Installation]:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres_database()) if request.param == "postgresql" else ""
        yield Installation(tmp_path, database_url=url, IDEMPOTENCY_LOCK_S=str(LOCK_S))


def test_each_request_counts_once_however_often_the_server_dies(installation) -> None:
    kills = KILLS["sqlite" if installation.database_url.startswith("sqlite") else "postgresql"]
    requests_sent = kills * IN_FLIGHT
    seed = random.randrange(1 << 32)
    warm_up_key = installation.make_key("bob")
    shares = [kills // LANES + (lane < kills % LANES) for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as pool:
        lanes = [
            pool.submit(kill_in_turn, installation, share, random.Random(seed + lane), warm_up_key)
            for lane, share in enumerate(shares)
        ]
        found = sum((lane.result() for lane in lanes), Counter())
    print(f"seed {seed}: {dict(found)}")
    assert found.total() == requests_sent
    # Kills that interrupt no request prove nothing.
    assert found["in_progress"] + found["completed"] > 0, found
    of_alice = "JOIN accounts_user u ON u.id = {} WHERE u.username = 'alice'"
    renders, jobs, debits, keys = (
        installation.query(f"SELECT count(*) FROM {table} t {of_alice.format(owner)}")
        for table, owner in (
            ("renders_render", "t.owner_id"),
            ("jobs_job", "t.user_id"),
            ("credits_creditentry", "t.user_id AND t.kind = 'reserve'"),
            ("api_idempotencykey", "t.user_id AND t.state = 'completed'"),
        )
    )
    assert renders == jobs == debits == keys == [(requests_sent,)]
    assert installation.query(f"SELECT balance FROM credits_creditaccount t {of_alice.format('t.user_id')}") == [
        (1000 - requests_sent,)
    ]
    checked = json.loads(installation.manage("db_integrity", "--json"))
    assert checked["ok"] is True
    assert {"ledger", "jobs", "renders without a job"} <= {check["check"] for check in checked["checks"]}
