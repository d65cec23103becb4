"""Two ways to ask: through the front door, and Django as if there were none."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

from accounts.models import ApiKey, User
from core.front.door import FrontDoor
from core.ratelimit.limiter import limiter
from core.ratelimit.sqlite_store import SqliteStore
from renders.models import Render

PASSING = {"Date", "X-Request-Id", "Server-Timing"}


@dataclass(frozen=True)
class Said:
    """An answer. body: without the id of the request."""

    status: str
    headers: dict[str, str]
    body: bytes


@dataclass
class World:
    """An account with rows, its key, and the two ways; the clock of the limits stands still."""

    alice: User
    key: str
    row: ApiKey
    render: Render
    django: Any = field(default_factory=WSGIHandler)
    passed_on: int = 0
    # Of every request's environment.
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.door = FrontDoor(self._behind)

    def _behind(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.passed_on += 1
        return self.django(environ, start_response)

    def call(self, app: Any, path: str, method: str = "GET", body: bytes = b"", **headers: str | None) -> Said:
        """Ask as a server passes it on; a header of None is left out. body: JSON."""
        path, _, query = path.partition("?")
        sent = {"X_API_KEY": self.key, "HOST": "localhost:8000", **headers}
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            **{f"HTTP_{name}": value for name, value in sent.items() if value is not None},
        }
        if body:
            environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
        found: list[Any] = []
        environ |= self.extra
        result = app(environ, lambda status, pairs, exc_info=None: found.extend((status, pairs)))
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        names = [name for name, _ in found[1]]
        assert len(names) == len(set(names))
        return Said(found[0], dict(found[1]), body)

    def both(self, path: str, *, early: bool, method: str = "GET", body: bytes = b"", **headers: str | None) -> Said:
        """Ask both, compare them, and see whether the door answered by itself."""
        answers, counts = [], []
        for app in (self.django, self.door):
            forget_what_was_counted()
            self.passed_on = 0
            answers.append(self.call(app, path, method, body, **headers))
            counts.append(counted())
        assert comparable(answers[1]) == comparable(answers[0])
        assert counts[1] == counts[0]
        assert (self.passed_on == 0) is early, answers[1]
        assert set(answers[1].headers) == set(answers[0].headers)
        assert answers[1].headers["X-Request-Id"]
        return answers[1]


def comparable(said: Said) -> tuple[str, dict[str, str], bytes]:
    headers = {name: value for name, value in said.headers.items() if name not in PASSING}
    return said.status, headers, said.body.replace(said.headers["X-Request-Id"].encode(), b"")


def store() -> SqliteStore:
    limits = limiter()
    assert limits is not None
    assert isinstance(limits._store, SqliteStore)
    return limits._store


def forget_what_was_counted() -> None:
    with store()._file as connection:
        connection.execute("DELETE FROM bucket")


def counted() -> list[tuple[str, int]]:
    with store()._file as connection:
        return connection.execute("SELECT id, full_at FROM bucket ORDER BY id").fetchall()
