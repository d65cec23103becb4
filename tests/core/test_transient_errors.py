"""Database locks and full disks answer 503, wherever in a request they occur."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from api.middleware import ApiMiddleware, SessionMiddleware
from core import database
from core.database import DatabaseBusy, DiskFull, busy_timeout, transient_error
from renderowl import serve


def of_postgresql(sqlstate: str) -> OperationalError:
    error = OperationalError("could not extend file")
    error.__cause__ = RuntimeError()
    error.__cause__.sqlstate = sqlstate  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OperationalError("database is locked"), DatabaseBusy),
        (OperationalError("canceling statement due to lock timeout"), DatabaseBusy),
        (OperationalError("database or disk is full"), DiskFull),
        (of_postgresql("53100"), DiskFull),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), DiskFull),
        (of_postgresql("57014"), None),
        (OperationalError("no such table: renders_render"), None),
        (OSError(errno.EACCES, "Permission denied"), None),
        (ValueError("database is locked"), None),
    ],
)
def test_only_transient_errors_answer_503(error: Exception, fault: type | None) -> None:
    assert type(transient_error(error)) is (fault or type(None))


@pytest.mark.parametrize("text", ["disk I/O error", "unable to open database file"])
def test_ambiguous_sqlite_errors_mean_a_full_disk_only_if_the_disk_is_full(text, monkeypatch) -> None:
    monkeypatch.setattr(database, "database_file", lambda: "/var/owl/db.sqlite3")
    for free, fault in ((4096, DiskFull), (1 << 30, type(None))):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(database.shutil, "disk_usage", lambda folder, usage=usage: usage)
        assert type(transient_error(OperationalError(text))) is fault


def test_pages_outside_of_the_api_get_the_same_problem_document(rf: RequestFactory) -> None:
    middleware = ApiMiddleware(lambda request: None)  # type: ignore[arg-type,return-value]
    request = rf.post("/admin/login/")
    refused = middleware.process_exception(request, OperationalError("database or disk is full"))
    assert refused is not None
    assert (refused.status_code, refused["Retry-After"]) == (503, "10")
    assert json.loads(refused.content)["code"] == "disk_full"
    assert middleware.process_exception(request, OperationalError("no such table: x")) is None


@pytest.mark.django_db
def test_a_session_that_cannot_be_saved_answers_503(rf: RequestFactory, monkeypatch) -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        request.session["seen"] = 1
        return HttpResponse("page")

    def fail(text: str) -> None:
        def save(self: SessionStore, **options: Any) -> None:
            raise OperationalError(text)

        monkeypatch.setattr(SessionStore, "save", save)

    middleware = SessionMiddleware(answer)
    assert middleware(rf.get("/admin/login/")).content == b"page"
    fail("database is locked")
    refused = middleware(rf.get("/admin/login/"))
    assert (refused.status_code, refused["Retry-After"]) == (503, "1")
    assert json.loads(refused.content)["code"] == "database_busy"
    fail("no such table: x")
    with pytest.raises(OperationalError, match="no such table"):
        middleware(rf.get("/admin/login/"))


@pytest.mark.django_db
def test_the_busy_timeout_is_restored() -> None:
    if connection.vendor != "sqlite":
        with busy_timeout(0):
            return

    def busy_timeout_ms() -> int:
        return connection.connection.execute("PRAGMA busy_timeout").fetchone()[0]

    connection.ensure_connection()
    with pytest.raises(ValueError, match="x"), busy_timeout(0.5):
        assert busy_timeout_ms() == 500
        raise ValueError("x")
    assert busy_timeout_ms() == connection.settings_dict["OPTIONS"]["timeout"] * 1000


def test_counters_of_a_server_are_in_memory_and_deleted_with_it(tmp_path: Path, monkeypatch) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(serve, "MEMORY", memory)
    mine = serve.run_folder(tmp_path / "data")
    assert mine.parent.parent == memory
    assert mine.parent.stat().st_mode & 0o777 == 0o700
    assert (mine / "metrics").is_dir()
    (mine.parent / "server-999999999").mkdir()
    again = serve.run_folder(tmp_path / "data")
    assert [path.name for path in again.parent.iterdir()] == [f"server-{os.getpid()}"]
    assert serve.run_folder(tmp_path / "other").parent != again.parent
    monkeypatch.setattr(serve, "MEMORY", tmp_path / "nowhere")
    assert serve.run_folder(tmp_path / "data").parent == tmp_path / "data/run"
