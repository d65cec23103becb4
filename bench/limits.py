"""Effect of an account at its rate limit on another: B's latency alone and beside A, in alternating blocks.

A calls far over its plan and is refused; B stays within its own. Prints p50 and p95 of both cases and their ratios. The
blocks alternate, so that other load on the machine affects both alike.

Run: python bench/limits.py [--blocks N] [--calls N] [--rate N]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from renderowl.local.processes import ProcessGroup, free_port, manage, server_command

MAX_RATIO = 1.2


class Flood:
    """A's calls, at a steady rate, from a process of its own: in B's they would slow B's client, not the server."""

    def __init__(self, base: str, key: str, rate: float) -> None:
        context = multiprocessing.get_context("spawn")
        self.active, self.over = context.Event(), context.Event()
        self.passed, self.refused = context.Value("i", 0), context.Value("i", 0)
        counts = (self.passed, self.refused)
        self.process = context.Process(target=call_on, args=(base, key, rate, self.active, self.over, counts))
        self.process.start()

    def stop(self) -> None:
        """End the calls and the process."""
        self.over.set()
        self.active.set()
        self.process.join()


def call_on(base: str, key: str, rate: float, active: Any, over: Any, counts: tuple[Any, Any]) -> None:
    """Call at a steady rate while `active` is set, until `over` is."""
    session = requests.Session()
    session.trust_env = False
    session.headers["X-API-Key"] = key
    due = time.monotonic()
    while not over.is_set():
        if not active.wait(0.05):
            due = time.monotonic()
            continue
        status = session.get(f"{base}/api/v2/me", timeout=30).status_code
        counts[status == requests.codes.too_many_requests].value += 1
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))


def measure(session: requests.Session, base: str, calls: int) -> list[float]:
    """B's latencies, in seconds, as B sees them."""
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        response = session.get(f"{base}/api/v2/me", timeout=30)
        took.append(time.perf_counter() - began)
        assert response.status_code == 200, response.text
        time.sleep(0.005)
    return took


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> int:
    """Measure in an installation of its own. Returns 0 if the ratio is within its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--rate", type=float, default=25.0, help="A's calls a second; its plan allows 1.7")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        env = {**os.environ, "DATA_DIR": folder, "DEBUG": "1", "PORT": str(port), "SIGNUP_PLAN": "free"}
        for name in ("DATABASE_URL", "STORAGE_URL", "CACHE_URL", "PUBLIC_URL", "RATE_LIMITS"):
            env.pop(name, None)
        manage(["migrate", "--noinput"], env)
        keys = {}
        for user, extra in (("busy", []), ("calm", ["--staff"])):
            minted = manage(["create_api_key", user, "--scopes", "*", "--create-user", "--json", *extra], env)
            keys[user] = json.loads(minted)["key"]
        group = ProcessGroup(env)
        base = f"http://127.0.0.1:{port}"
        try:
            group.start("server", server_command(port))
            group.wait_until_serving(port)
            return compare(base, keys, options)
        finally:
            group.stop()


def compare(base: str, keys: dict[str, str], options: argparse.Namespace) -> int:
    """Alternate the blocks and print their latencies."""
    session = requests.Session()
    session.trust_env = False
    session.headers["X-API-Key"] = keys["calm"]
    flood = Flood(base, keys["busy"], options.rate)
    alone: list[float] = []
    beside: list[float] = []
    try:
        flood.active.set()
        while flood.refused.value < 20:
            time.sleep(0.05)
        flood.active.clear()
        measure(session, base, 50)
        for block in range(options.blocks):
            order = ((alone, False), (beside, True))
            for found, is_busy in order if block % 2 else reversed(order):
                (flood.active.set if is_busy else flood.active.clear)()
                time.sleep(0.1)
                found += measure(session, base, options.calls)
    finally:
        flood.stop()
    for name, values in (("alone", alone), ("beside", beside)):
        figures = ", ".join(f"p{share} {percentile(values, share / 100) * 1000:.2f} ms" for share in (50, 95))
        print(f"B {name:7} {len(values)} calls: {figures}")
    ratio = percentile(beside, 0.95) / percentile(alone, 0.95)
    print(f"A: {flood.passed.value} passed and {flood.refused.value} refused at {options.rate:g} calls a second")
    print(f"p95 beside / alone: {ratio:.2f} (at most {MAX_RATIO})")
    return 0 if ratio <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
