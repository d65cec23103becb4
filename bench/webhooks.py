"""Delay of an account's deliveries beside endpoints of another account that hang for the whole 15 s.

    python -m bench.webhooks [--neighbours 20] [--quiet 60] [--answer-after 60]

Starts a receiver that never answers, or answers shortly before the timeout (`--answer-after 14.5`), and one that
answers at once, a worker on a database of its own, and prints the delays of the quiet account's deliveries, from the
commit of the event to the arrival, without and with the neighbours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Measure, print, and return 1 if the hanging endpoints add a second or more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neighbours", type=int, default=20, help="endpoints that hang, four requests each")
    parser.add_argument("--quiet", type=int, default=60, help="events of the quiet account in each half")
    parser.add_argument("--answer-after", type=float, default=60, help="seconds; a delivery times out after 15")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.notifications.receiver import Receiver

    quick, slow = Receiver(), Receiver()
    never = threading.Event()

    def hang(request: Any) -> tuple[int, dict[str, str], bytes]:
        never.wait(options.answer_after)
        return 204, {}, b""

    slow.answer = hang
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DATA_DIR": folder,
            "DATABASE_URL": os.environ.get("BENCH_DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3"),
            "WEBHOOK_ALLOW_HOSTS": f"127.0.0.1:{quick.port},127.0.0.1:{slow.port}",
            "LOG_LEVEL": "ERROR",
        }

        def call(*arguments: object) -> None:
            command = [sys.executable, "-m", "tests.notifications.webhook_commands", *map(str, arguments)]
            subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)

        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        call("add_endpoints", "noisy", slow.url(), options.neighbours)
        call("add_endpoints", "quiet", quick.url(), 1)
        work = [sys.executable, "manage.py", "run_worker", "--queues", "webhooks,webhooks-slow"]
        worker = subprocess.Popen(work, cwd=ROOT, env=environment)
        try:
            call("neighbours", "absent", "quiet", 0, options.quiet)
            alone = wait_for_deliveries(quick, options.quiet)
            quick.received.clear()
            call("neighbours", "noisy", "quiet", 12, options.quiet)
            beside = wait_for_deliveries(quick, options.quiet)
            held = len(slow.received)
        finally:
            never.set()
            worker.terminate()
            worker.wait(60)
    quick.close()
    slow.close()
    show("alone", alone)
    slowness = f"take {options.answer_after:g} s" if options.answer_after < 15 else "hang"
    show(f"beside {options.neighbours} endpoints that {slowness} ({held} requests held)", beside)
    holds = max(beside) - statistics.median(alone) < 1.0
    print(
        "added at worst:",
        f"{(max(beside) - statistics.median(alone)) * 1000:.0f} ms",
        "- holds" if holds else "- BROKEN",
    )
    return 0 if holds else 1


def wait_for_deliveries(receiver: Any, count: int) -> list[float]:
    """Wait for all deliveries; return how long each took, in seconds."""
    end = time.monotonic() + 60
    while len(receiver.received) < count and time.monotonic() < end:
        time.sleep(0.05)
    return [one.wall - datetime.fromisoformat(one.json["timestamp"]).timestamp() for one in receiver.received]


def show(title: str, delays: list[float]) -> None:
    """Print one line."""
    ranked = sorted(delays)
    middle, worst = statistics.median(ranked), ranked[-1]
    print(f"{title}: {len(ranked)} deliveries, p50 {middle * 1000:.0f} ms, worst {worst * 1000:.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
