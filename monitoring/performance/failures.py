"""Buffer of unhandled failures, grouped by type and place until the monitor writes them.

It is a handler of the root logger: every error logged with a traceback counts as an unhandled failure.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from django.conf import settings

from core.context import request_id
from monitoring.performance.routes import route_of

MAX_KINDS = 200
MAX_MESSAGE_LENGTH = 500
MAX_TRACEBACK_LENGTH = 20_000
_SECRETS = re.compile(
    r"(ro_(?:live|test|wrk)_|whsec_|eyJ)[A-Za-z0-9_\-+/=.]+|(/files/)[^/\s\"']+|(://[^/\s:@]+:)[^@\s]+(?=@)"
)


@dataclass(slots=True)
class Failure:
    """Failures of one type at one place. first, last: Unix times; other fields are of the latest failure."""

    fingerprint: str
    type: str
    place: str
    message: str
    traceback: str
    route: str
    request_id: str
    count: int
    first: float
    last: float

    def add(self, other: Failure) -> None:
        """Add other failures of the same type and place."""
        self.count += other.count
        self.first = min(self.first, other.first)
        if other.last >= self.last:
            self.last, self.message, self.traceback = other.last, other.message, other.traceback
            self.route, self.request_id = other.route, other.request_id


class FailureBuffer(logging.Handler):
    """Holds failures until they are taken. Bounded: beyond MAX_KINDS, failures are only counted as lost."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self._guard = threading.Lock()
        self._failures: dict[str, Failure] = {}
        self.lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Buffer a record that has a traceback."""
        if not record.exc_info or record.exc_info[0] is None or record.exc_info[1] is None:
            return
        self.put([_failure_of(record, record.exc_info[1], record.exc_info[2])])

    def put(self, failures: list[Failure]) -> None:
        """Add failures, grouped by fingerprint."""
        with self._guard:
            for failure in failures:
                existing = self._failures.get(failure.fingerprint)
                if existing is not None:
                    existing.add(failure)
                elif len(self._failures) < MAX_KINDS:
                    self._failures[failure.fingerprint] = failure
                else:
                    self.lost += failure.count

    def take(self) -> list[Failure]:
        """Return the buffered failures, and empty the buffer."""
        with self._guard:
            failures, self._failures = self._failures, {}
        return list(failures.values())


def _failure_of(record: logging.LogRecord, error: BaseException, trace: TracebackType | None) -> Failure:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    place = place_of(trace)
    request = getattr(record, "request", None)
    moment = time.time()
    lines = traceback.format_exception(type(error), error, trace)
    return Failure(
        fingerprint=hashlib.sha256(f"{kind}\n{place}".encode()).hexdigest(),
        type=kind[:200],
        place=place[:300],
        message=redact_secrets(str(error))[:MAX_MESSAGE_LENGTH],
        # The end, which names the exception.
        traceback=redact_secrets("".join(lines))[-MAX_TRACEBACK_LENGTH:],
        route=route_of(request)[:200] if request is not None else "",
        request_id=getattr(request, "request_id", request_id.get())[:64],
        count=1,
        first=moment,
        last=moment,
    )


def place_of(trace: TracebackType | None) -> str:
    """Return the innermost function of this project in a traceback, else the innermost of all.

    Without the line number, so that an edit elsewhere in the file does not change the fingerprint.
    """
    frames = [frame.f_code for frame, _ in traceback.walk_tb(trace)]
    own_frames = [code for code in frames if _is_own(code.co_filename)]
    if not frames:
        return "unknown"
    code = (own_frames or frames)[-1]
    path = Path(code.co_filename)
    name = path.relative_to(settings.BASE_DIR) if own_frames else Path(*path.parts[-3:])
    return f"{name}:{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}"


def _is_own(file_name: str) -> bool:
    path = Path(file_name)
    return path.is_relative_to(settings.BASE_DIR) and not {"site-packages", ".venv"} & set(path.parts)


def redact_secrets(text: str) -> str:
    """Return the text without API keys, tokens, signed links and passwords in URLs."""
    # Clients may send NUL and lone surrogates, which not every database can store.
    storable = text.replace("\x00", "").encode(errors="replace").decode()
    return _SECRETS.sub(lambda match: f"{match[1] or match[2] or match[3]}...", storable)
