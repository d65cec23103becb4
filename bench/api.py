"""Measure what answers cost: uncached, cached, 304 and refused, side by side.

    python bench/api.py [--rounds N] [--race READS]

In this process, through the real WSGI handler with all middleware, on a SQLite file of its own with 1,000 renders. CPU
time, not wall time: the machine may be busy with other things. Each round calls every kind ten times in a row, so that
neighbours run under the same load and only the first call of ten pays for cold processor caches, which the kind
before has filled; figures are medians, ratios those of medians. DEBUG is off, rate limits are on.

`--race` reads a list over and over while another process writes, and fails if any answer is older than a write that
was acknowledged before the read began. Rate limits are off there: both send requests faster than any plan allows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RENDERS = 1000
LIST = "/api/v2/renders"
IN_A_ROW = 10


def prepare(folder: str) -> None:
    """Point Django at a new database."""
    sys.path.insert(0, str(ROOT))
    os.environ |= {
        "DATA_DIR": folder,
        "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        "DJANGO_SETTINGS_MODULE": "renderowl.settings",
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "0",
        "RATE_LIMITS": "1",
        "LOG_LEVEL": "ERROR",
    }
    from core.sqlite import install_newer_sqlite

    install_newer_sqlite()
    import django

    django.setup()


def make_world() -> dict[str, str]:
    """Return a key and the id of a render that has ended, in an account with many."""
    from django.core.management import call_command
    from django.db import transaction

    from tests.factories import make_api_key, make_project, make_render, make_user

    call_command("migrate", verbosity=0, skip_checks=True)
    alice = make_user("alice", plan="enterprise")
    project = make_project(alice)
    with transaction.atomic():
        for number in range(RENDERS):
            render = make_render(
                alice,
                status="succeeded",
                project=project,
                metadata={"order_id": str(number), "shop": "owl"},
                poster_key=f"renders/{number}/1/poster.jpg",
                thumbnail_key=f"renders/{number}/1/thumbnail.jpg",
            )
    return {"key": make_api_key(alice), "render": render.public_id, "project": project.public_id}


class Caller:
    """Calls the WSGI application as a server does."""

    def __init__(self, key: str) -> None:
        from renderowl.wsgi import application

        self._app = application
        self._key = key

    def __call__(
        self,
        path: str,
        query: str = "",
        *,
        method: str = "GET",
        body: bytes = b"",
        key: str | None = "",
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body. key: None to send none; headers as in CGI, without HTTP_."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if key is not None:
            environ["HTTP_X_API_KEY"] = key or self._key
        environ |= {f"HTTP_{name}": value for name, value in headers.items()}
        answer: dict[str, Any] = {}

        def start(status: str, pairs: list[tuple[str, str]], exc_info: Any = None) -> None:
            answer.update(status=int(status[:3]), headers=dict(pairs))

        result = self._app(environ, start)
        content = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        return answer["status"], answer["headers"], content


def kinds(call: Caller, world: dict[str, str]) -> dict[str, tuple[Callable[[], Any], int]]:
    """Return the measured requests: name -> call, and the expected status."""
    from django.conf import settings

    def uncached(query: str) -> Callable[[], Any]:
        def without_cache() -> Any:
            settings.RENDEROWL_RESPONSE_CACHE = False
            try:
                return call(LIST, query)
            finally:
                settings.RENDEROWL_RESPONSE_CACHE = True

        return without_cache

    detail = f"{LIST}/{world['render']}"
    tags = {path: call(*path)[1]["ETag"] for path in ((LIST, "limit=100"), (detail, ""))}
    broken = b'{"edit": 1}'
    missing = f"{LIST}/rnd_{'0' * 26}"
    return {
        "list of 100, uncached": (uncached("limit=100"), 200),
        "list of 100, cached": (lambda: call(LIST, "limit=100"), 200),
        "list of 100, 304": (lambda: call(LIST, "limit=100", IF_NONE_MATCH=tags[LIST, "limit=100"]), 304),
        "list of 25, uncached": (uncached("limit=25"), 200),
        "list of 25, cached": (lambda: call(LIST, "limit=25"), 200),
        "list of 1, uncached": (uncached("limit=1"), 200),
        "one render": (lambda: call(detail), 200),
        "one render, 304": (lambda: call(detail, IF_NONE_MATCH=tags[detail, ""]), 304),
        "401, no credential": (lambda: call(LIST, key=None), 401),
        "401, junk": (lambda: call(LIST, key="ro_live_AAAAAAAA_" + "A" * 38), 401),
        "404, no such render": (lambda: call(missing), 404),
        "404, no such path": (lambda: call("/api/v2/nothing"), 404),
        "422": (lambda: call(LIST, method="POST", body=broken), 422),
        "/live": (lambda: call("/live"), 200),
    }


def measure(rounds: int, measured: dict[str, tuple[Callable[[], Any], int]]) -> dict[str, float]:
    """Return the median CPU milliseconds of each kind."""
    for call, status in measured.values():
        for _ in range(5):
            found = call()[0]
            assert found == status, (found, status)
    times: dict[str, list[int]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, (call, _) in measured.items():
            for _ in range(IN_A_ROW):
                began = time.process_time_ns()
                call()
                times[name].append(time.process_time_ns() - began)
    return {name: statistics.median(values) / 1e6 for name, values in times.items()}


def report(medians: dict[str, float]) -> None:
    """Print all figures, and which goals are met."""
    uncached = medians["list of 100, uncached"]
    print(f"{'':26s} {'CPU p50':>9s}   times cheaper than a list of 100")
    for name, value in medians.items():
        print(f"{name:26s} {value:6.3f} ms   {uncached / value:6.1f}")
    verdicts = {}
    for name in ("cached", "304"):
        ratio = uncached / medians[f"list of 100, {name}"]
        verdicts[f"{name} is 10 times cheaper than uncached: {ratio:.1f}"] = ratio >= 10
    list_ms = medians["list of 25, uncached"]
    verdicts[f"list of 25 uncached in 2.5 ms: {list_ms:.3f}"] = list_ms <= 2.5
    for name in (name for name in medians if name.startswith("4")):
        verdicts[f"{name} in 0.9 ms: {medians[name]:.3f}"] = medians[name] <= 0.9
    for text, is_reached in verdicts.items():
        print(f"{'yes' if is_reached else 'NO ':3s}  {text}")


def write_forever(folder: str, key: str, project: str, acknowledged: Any, must_stop: Any) -> None:
    """Rename a project over and over, and note each number once the server has acknowledged it."""
    prepare(folder)
    lift_limits()
    call, number = Caller(key), 0
    while not must_stop.is_set():
        number += 1
        body = json.dumps({"name": f"{number:09}"}).encode()
        status, _, _ = call(f"/api/v2/projects/{project}", method="PATCH", body=body)
        assert status == 200, status
        acknowledged.value = number
        time.sleep(0.002)


def lift_limits() -> None:
    """Switch the rate limits off in this process."""
    from django.conf import settings

    settings.RENDEROWL_RATE_LIMITS = False


def race(folder: str, world: dict[str, str], reads: int) -> bool:
    """Return whether no read was older than a write that was acknowledged before it began."""
    context = multiprocessing.get_context("spawn")
    acknowledged, must_stop = context.Value("q", 0), context.Event()
    arguments = (folder, world["key"], world["project"], acknowledged, must_stop)
    writer = context.Process(target=write_forever, args=arguments, daemon=True)
    writer.start()
    lift_limits()
    call, stale, outcomes, tag, seen = Caller(world["key"]), 0, dict[str, int](), "", 0
    while acknowledged.value < 1 and writer.is_alive():
        time.sleep(0.01)
    for _ in range(reads):
        before = acknowledged.value
        status, headers, content = call("/api/v2/projects", IF_NONE_MATCH=tag)
        outcomes[headers["X-Cache"]] = outcomes.get(headers["X-Cache"], 0) + 1
        if status == 200:
            tag, seen = headers["ETag"], int(json.loads(content)["data"][0]["name"])
        stale += seen < before
    written = acknowledged.value
    must_stop.set()
    writer.join(10)
    print(f"{reads} reads racing {written} writes of another process: {stale} stale; {outcomes}")
    return stale == 0 and written > 1 and writer.exitcode == 0


def main() -> int:
    """Measure; return 1 if an answer was stale. Missed speed goals are printed only."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--race", type=int, default=10_000, metavar="READS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="renderowl-bench-") as folder:
        prepare(folder)
        world = make_world()
        report(measure(options.rounds, kinds(Caller(world["key"]), world)))
        is_true = race(folder, world, options.race) if options.race else True
    return 0 if is_true else 1


if __name__ == "__main__":
    sys.exit(main())
