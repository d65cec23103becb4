"""Long-poll, `Prefer: wait` and event streams through the real server, on SQLite and PostgreSQL."""

from __future__ import annotations

import http.client
import json
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID

import psycopg
import pytest

from core.ids import decode_id
from tests.acceptance.installation import Installation, postgres_database
from tests.factories import make_edit

pytestmark = [pytest.mark.acceptance]
# Behaviour independent of the database is tested on the one that starts faster.
ONCE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installation(request, tmp_path_factory):
    """A server with ten threads, of which six may wait, three of one account; no worker runs."""
    env = {"WEB_THREADS": "10", "EVENTS_HEARTBEAT_S": "1"}
    folder = tmp_path_factory.mktemp("waiting")

    def run(url=""):
        made = Installation(folder, database_url=url, **env)
        try:
            made.start_server(threads=10)
            yield made
        finally:
            made.stop()

    if request.param == "sqlite":
        yield from run()
        return
    with postgres_database() as url:
        yield from run(url)


def change(installation, render_id, **columns):
    """Update columns of a render's row as another process would."""
    pk = decode_id("rnd", render_id)
    names = ", ".join(f"{name} = {{mark}}" for name in columns)
    text = f"UPDATE renders_render SET {names} WHERE id = {{mark}}"
    if installation.database_url.startswith("sqlite"):
        path = installation.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
            connection.execute(text.format(mark="?"), [*columns.values(), UUID(str(pk)).hex])
        return
    with psycopg.connect(installation.database_url) as connection:
        connection.execute(text.format(mark="%s"), [*columns.values(), pk])


class Stream:
    """An open event stream."""

    def __init__(self, installation, render_id, *, key="", last=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=20)
        headers = {"X-API-Key": key or installation.key, "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection.request("GET", f"/api/v2/renders/{render_id}/events", headers=headers)
        self.response = self.connection.getresponse()

    def block(self):
        """Return the lines up to the next empty one; [] at the end of the stream."""
        lines = []
        while line := self.response.readline():
            if not line.strip():
                return lines
            lines.append(line.decode().strip())
        return lines

    def event(self):
        """Return id, name and data of the next event, None at the end."""
        while block := self.block():
            fields = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
            if "event" in fields:
                return int(fields["id"]), fields["event"], json.loads(fields["data"])
        return None

    def close(self):
        self.response.close()
        self.connection.close()


def listen(installation, render_id, **arguments):
    """Return a stream, once the slots of earlier tests are free: the server notices at its next write to them."""

    def opened():
        stream = Stream(installation, render_id, **arguments)
        if stream.response.status == 429:
            stream.close()
            return None
        return stream

    return installation.wait(opened, seconds=15)


def test_a_long_poll_answers_when_the_status_changes(installation):
    render_id = installation.submit(make_edit())["id"]
    path = f"{installation.base}/api/v2/renders/{render_id}?wait=15"
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(installation.session.get, path, timeout=30) for _ in range(2)]
        time.sleep(0.7)  # until both requests wait
        change(installation, render_id, progress_at="2026-01-01 00:00:00+00:00")
        with pytest.raises(TimeoutError):
            waiting[0].result(timeout=0.7)
        began = time.monotonic()
        change(installation, render_id, status="fetching", attempt=1)
        answers = [future.result(timeout=10) for future in waiting]
    assert time.monotonic() - began < 2
    assert {answer.json()["status"] for answer in answers} == {"fetching"}


def test_a_stream_sends_changes_and_is_resumed_without_gap_or_repetition(installation):
    render_id = installation.submit(make_edit())["id"]
    first = listen(installation, render_id)
    assert first.response.status == 200
    assert first.response.headers["Content-Type"].startswith("text/event-stream")
    assert first.response.headers["Cache-Control"] == "no-store"
    assert first.block() == ["retry: 2000"]
    events = [first.event()]
    assert events[0][1:] == ("status", {"render": render_id, "status": "queued", "attempt": 0})
    change(installation, render_id, status="fetching", attempt=1)
    events.append(first.event())
    for percent, frame in ((10.0, 1), (40.0, 4)):
        change(installation, render_id, status="rendering", percent=percent, frame=frame)
        while events[-1][2].get("percent") != percent:
            events.append(first.event())
    first.close()
    change(installation, render_id, percent=90.0, frame=9)
    change(installation, render_id, status="saving")
    ended = {"status": "succeeded", "percent": 100.0, "finished_at": "2026-01-01 00:00:00+00:00", "credits_charged": 1}
    change(installation, render_id, **ended, output_format="mp4", output_duration_s=1.0, output_size_bytes=9)
    again = listen(installation, render_id, last=events[-1][0])
    while event := again.event():
        events.append(event)
    again.close()
    assert [data.get("percent", data.get("status")) for _, _, data in events] == [
        *("queued", "fetching", "rendering", 10.0, 40.0, "saving", "succeeded")
    ]
    ids = [number for number, _, _ in events]
    assert ids == sorted(set(ids))
    assert events[-1][2]["credits"] == {"reserved": "0.01", "charged": "0.01"}
    assert events[-1][2]["output"]["size_bytes"] == 9
    over = listen(installation, render_id, last=ids[-1])
    assert (over.response.status, over.response.read()) == (204, b"")
    over.close()


@ONCE
def test_slots_are_bounded_and_released(installation):
    render_id = installation.submit(make_edit())["id"]
    streams = [listen(installation, render_id) for _ in range(3)]
    assert [stream.response.status for stream in streams] == [200] * 3
    refused = Stream(installation, render_id)
    assert (refused.response.status, refused.response.headers["Retry-After"]) == (429, "5")
    assert json.loads(refused.response.read())["policy"] == "streams"
    refused.close()
    # A long-poll without a slot answers at once.
    began = time.monotonic()
    installation.call("GET", f"/api/v2/renders/{render_id}?wait=10", 200)
    assert time.monotonic() - began < 3
    bob = installation.make_key("bob")
    other = installation.session.post(
        f"{installation.base}/api/v2/renders", json={"edit": make_edit()}, headers={"X-API-Key": bob}
    ).json()["id"]
    bobs = Stream(installation, other, key=bob)
    assert bobs.response.status == 200
    for stream in [*streams, bobs]:
        stream.close()

    listen(installation, render_id).close()
    for ended in (render_id, other):
        change(installation, ended, status="cancelled", finished_at="2026-01-01 00:00:00+00:00")


@ONCE
def test_a_revoked_key_ends_the_stream(installation):
    render_id = installation.submit(make_edit())["id"]
    minted = installation.call("POST", "/api/v2/keys", 201, json={"name": "listener", "scopes": ["renders:read"]})
    stream = listen(installation, render_id, key=minted["key"])
    assert stream.block() == ["retry: 2000"]
    assert stream.event()[1] == "status"
    assert stream.block() == [": still here"]
    installation.call("DELETE", f"/api/v2/keys/{minted['id']}", 204)
    began = time.monotonic()
    assert stream.event() is None
    assert time.monotonic() - began < 4
    stream.close()


@ONCE
def test_stopping_does_not_wait_for_clients(installation):
    render_id = installation.submit(make_edit())["id"]
    stream = listen(installation, render_id)
    answers = []
    path = f"{installation.base}/api/v2/renders/{render_id}?wait=30"
    poll = threading.Thread(target=lambda: answers.append(installation.session.get(path, timeout=40)))
    poll.start()
    assert stream.event()[1] == "status"
    time.sleep(0.5)  # until the poll waits
    server = installation.processes[-1]
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    poll.join(timeout=30)
    while stream.event():
        pass
    assert answers[0].json()["status"] == "queued"
    assert time.monotonic() - began < 5
    server.wait(timeout=30)
    assert time.monotonic() - began < 10
    stream.close()
    installation.start_server(threads=10)  # for the other tests, which come in any order
