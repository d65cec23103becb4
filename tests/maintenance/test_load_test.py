"""`load_test` and `load_test_health` against a small HTTP server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from maintenance.loadtest.command import _hints
from maintenance.loadtest.plan import LoadPlan
from maintenance.loadtest.response_stats import GRADES, ResponseStats, rate

ROOT = Path(__file__).resolve().parent.parent.parent


class Handler(BaseHTTPRequestHandler):
    """Answers by path: /status/N, /slow, /redirect."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        seen = (self.command, self.path, self.headers.get("X-API-Key"), self.rfile.read(size))
        self.server.seen[seen] += 1
        status = int(self.path.rpartition("/")[2]) if self.path.startswith("/status/") else 200
        if self.path == "/slow":
            time.sleep(0.1)
        if self.path == "/redirect":
            status = 302
        body = b"" if status == 304 else b"fine"
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nLocation: /elsewhere\r\n\r\n"
        self.wfile.write(head.encode() + body)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.seen = Counter()
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


@pytest.fixture
def run(server, capsys):
    def call(*arguments, command="load_test"):
        server.seen.clear()
        url = f"http://127.0.0.1:{server.server_port}"
        status = 0
        try:
            call_command(command, "--url", url, "--json", *arguments)
        except SystemExit as error:
            status = error.code
        return status, json.loads(capsys.readouterr().out)

    return call


@pytest.mark.acceptance
def test_counts_the_requests_that_the_server_received(run, server):
    status, report = run("--endpoint", "/a?b=1", "--duration", "1", "--concurrency", "3", "--key", "k1")
    assert status == 0
    assert server.seen == {("GET", "/a?b=1", "k1", b""): report["requests"]}
    assert report["requests"] > 20
    assert report["statuses"] == {"200": report["requests"]}
    assert (report["errors"], report["error_share"], report["failures"]) == (0, 0.0, [])
    assert 0 < report["p50_ms"] <= report["p95_ms"] <= report["p99_ms"] <= report["max_ms"] * 1.01
    assert report["rps"] == pytest.approx(report["requests"] / report["duration_s"], rel=0.01)
    assert report["bytes_received"] == 4 * report["requests"]


@pytest.mark.acceptance
def test_keeps_to_the_rate_and_requests_all_probes_in_turn(run, server):
    _, report = run("--duration", "1", "--rps", "30", "--concurrency", "3", command="load_test_health")
    # Never more than the rate; a stalled machine sends fewer.
    assert 15 <= report["requests"] <= 30
    assert server.seen == {("GET", row["endpoint"], None, b""): row["requests"] for row in report["endpoints"]}
    assert [row["endpoint"] for row in report["endpoints"]] == ["/live", "/ready", "/health"]
    assert max(server.seen.values()) - min(server.seen.values()) <= 1


@pytest.mark.acceptance
def test_exits_with_1_above_max_errors_and_follows_no_redirect(run, server):
    status, report = run("--endpoint", "/redirect", "--duration", "0.3", "--rps", "20", "--key", "secret")
    assert status == 1
    assert report["error_share"] == 1.0
    assert report["rating"] == "poor"
    assert report["failures"] == [{"reason": "status 302", "count": report["requests"]}]
    assert {path for _, path, _, _ in server.seen} == {"/redirect"}


@pytest.mark.acceptance
def test_sends_the_body_and_measures_response_times(run, server, tmp_path):
    body = tmp_path / "edit.json"
    body.write_bytes(b'{"a": "\xc3\xa9"}')
    arguments = ("--endpoint", "/slow", "--method", "POST", "--body", str(body), "--duration", "0.5", "--rps", "20")
    status, report = run(*arguments)
    assert status == 0
    assert server.seen == {("POST", "/slow", None, body.read_bytes()): report["requests"]}
    assert report["p50_ms"] >= 99
    assert report["rating"] != "excellent"


@pytest.mark.acceptance
def test_an_interrupted_test_prints_its_report(server):
    command = [sys.executable, "manage.py", "load_test", "--url", f"http://127.0.0.1:{server.server_port}"]
    with subprocess.Popen(
        [*command, "--duration", "60", "--rps", "20"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        server.seen.clear()
        end = time.monotonic() + 30
        while not server.seen and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Stopped early." in out.decode()
    assert "GET http://127.0.0.1" in out.decode()


def test_allowed_errors_do_not_change_the_exit_status(monkeypatch, capsys):
    stats = ResponseStats()
    for status in (200, 404):
        stats.record_response(status=status, took_s=0.001, size=0)
    report = {"late_share": 0.0, "driver_cpu_share": 0.1, "interrupted": False, **stats.summary(1)}
    monkeypatch.setattr("maintenance.loadtest.command.check_listening", lambda url: None)
    monkeypatch.setattr("maintenance.loadtest.command.run_plan", lambda plan, show: dict(report))
    call_command("load_test", "--json", "--max-errors", "50")
    assert json.loads(capsys.readouterr().out)["error_share"] == 0.5
    with pytest.raises(SystemExit, match="1"):
        call_command("load_test", "--json", "--max-errors", "49")


def test_an_unreachable_server_is_one_line_and_status_2():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(CommandError, match="Cannot connect to") as refusal:
            call_command("load_test", "--url", f"http://127.0.0.1:{port}")
    assert refusal.value.returncode == 2
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("command", ["load_test", "load_test_health"])
def test_a_missing_locust_is_named(monkeypatch, command):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CommandError, match="`make load-test` installs it") as refusal:
        call_command(command)
    assert refusal.value.returncode == 2
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--endpoint", "renders"),
        ("--endpoint", "//other.example/"),
        ("--endpoint", "/a b"),
        ("--url", "127.0.0.1:8000"),
        ("--url", "http://a:b/"),
        ("--url", "http://a/api"),
        ("--url", "http://user:password@a"),
        ("--duration", "0"),
        ("--duration", "nan"),
        ("--concurrency", "0"),
        ("--concurrency", "1.5"),
        ("--rps", "0"),
        ("--max-errors", "101"),
        ("--key", "a\r\nb"),
        ("--body", "/nowhere", "--method", "POST"),
        ("--body", "/etc/hostname"),
    ],
)
def test_refuses_invalid_arguments(arguments):
    with pytest.raises(CommandError):
        call_command("load_test", *arguments)


def test_requests_renders_only_with_a_key():
    from maintenance.management.commands.load_test import Command

    assert Command().default_endpoints(has_key=True) == ("/api/v2/renders",)
    assert Command().default_endpoints(has_key=False) == ("/live",)


def test_a_plan_survives_serialization():
    plan = LoadPlan("http://a", ("/a", "/b"), 1.5, 3, 2.5, "POST", "key", b"\xff\x00", "text/plain")
    assert LoadPlan.from_json(plan.to_json()) == plan


def test_percentiles_of_response_stats():
    stats = ResponseStats()
    for ms in range(1, 1001):
        stats.record_response(status=200, took_s=ms / 1000, size=1)
    stats.record_failure("ConnectionRefusedError")
    summary = stats.summary(elapsed_s=10)
    assert summary["p50_ms"] == pytest.approx(500, rel=0.011)
    assert summary["p95_ms"] == pytest.approx(950, rel=0.011)
    assert summary["p99_ms"] == pytest.approx(990, rel=0.011)
    assert (summary["requests"], summary["errors"], summary["rps"]) == (1001, 1, 100.1)
    assert summary["mean_ms"] == 500.5


def test_failure_reasons_are_bounded():
    stats = ResponseStats()
    for number in range(100):
        stats.record_failure(f"reason {number}")
    assert len(stats.reasons) == 21
    assert stats.reasons["other"] == 80


@pytest.mark.parametrize(
    ("p95_ms", "error_share", "rating"),
    [
        (50, 0, "excellent"),
        (50, 0.001, "good"),
        (200, 0.01, "good"),
        (201, 0, "fair"),
        (500, 0.05, "fair"),
        (501, 0, "poor"),
        (1, 0.06, "poor"),
        (None, 1.0, "poor"),
    ],
)
def test_ratings(p95_ms, error_share, rating):
    assert rate(p95_ms=p95_ms, error_share=error_share, grades=GRADES) == rating


def test_hints_name_misleading_results():
    report = {"statuses": {"429": 7}, "driver_cpu_share": 0.95, "late_share": 0.2, "interrupted": True}
    hints = " ".join(_hints(report))
    for words in ("7 responses were 429", "generator used a whole core", "20.0%", "Stopped early"):
        assert words in hints
    assert _hints({"statuses": {"200": 7}, "driver_cpu_share": 0.1, "late_share": 0, "interrupted": False}) == []
