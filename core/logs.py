"""What a line of the log looks like: one line a record, with the work that it belongs to, and no signed links.

A record of text goes to people, one of JSON to machines. What clients send may get into a message, so neither lets a
line break or a control character through: nobody can write a line that the program did not.
"""

from __future__ import annotations

import json
import logging
import math
import re
from datetime import UTC, datetime
from typing import Any

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

from core import tracing
from core.context import log_context, request_id

_SIGNED_LINK = re.compile(r"/files/(?:uploads/)?[^/\s\"']+")
# What some reader takes for the end of a line, and what moves the cursor of a terminal.
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "response"}
_CONTEXT_FIELDS = ("request_id", "trace_id", "span_id", "job_id", "job_type", "account_id")
MAX_VALUE_LENGTH = 2000
THROTTLE_S = 60.0


class ContextFilter(logging.Filter):
    """Add to every record which request, trace, job and account it belongs to; what the record itself says wins."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, enriched. Django logs some answers when the request's context has ended."""
        record.request_id = getattr(getattr(record, "request", None), "request_id", request_id.get())
        for name, value in _current_context().items():
            if value and not hasattr(record, name):
                setattr(record, name, value)
        return True


def _current_context() -> dict[str, str]:
    found = log_context.get()
    place = get_current_span().get_span_context()
    return {
        "trace_id": format_trace_id(place.trace_id) if place.is_valid else "",
        # Without spans of our own it would be the caller's.
        "span_id": format_span_id(place.span_id) if place.is_valid and tracing.is_enabled() else "",
        "job_id": found.job_id if found else "",
        "job_type": found.job_type if found else "",
        "account_id": found.account_id if found else "",
    }


class SignedLinkFilter(logging.Filter):
    """Take the tokens out of signed links: whoever reads the log must not get the files."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, cleaned."""
        message = record.getMessage()
        if "/files/" in message:
            record.msg, record.args = _clean(message), ()
        return True


class ThrottleFilter(logging.Filter):
    """Let one record a minute of a library through, which would repeat itself for as long as something is away."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self._next_at = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is another's, or the first of its minute."""
        if not super().filter(record):
            return True
        if record.created < self._next_at:
            return False
        self._next_at = record.created + THROTTLE_S
        return True


class TextFormatter(logging.Formatter):
    """Lines for people. A record of several lines, as with a traceback, has all but its first indented."""

    def __init__(self, *, shows_traces: bool = False) -> None:
        self._shows_traces = shows_traces
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(context)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        trace_id = getattr(record, "trace_id", "") if self._shows_traces else ""
        record.context = " ".join(filter(None, (getattr(record, "request_id", "-"), trace_id)))
        text = _BREAK.sub("\n    ", super().format(record))
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        """Return a traceback without tokens."""
        return _clean(super().formatException(ei))


class JsonFormatter(logging.Formatter):
    """Lines for machines: one object each, ASCII only, whose members docs/operations.md lists."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object of a record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in _CONTEXT_FIELDS if (value := getattr(record, name, "")) not in {"", "-"}}
        for name, value in vars(record).items():
            if name not in _KNOWN and name not in line and name not in _CONTEXT_FIELDS:
                line[name] = _plain(value)
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, _ = record.exc_info
            line["exception"] = {
                "type": f"{kind.__module__}.{kind.__qualname__}",
                "message": _clean(str(error)),
                "traceback": _clean(self.formatException(record.exc_info)),
            }
        if record.stack_info:
            line["stack"] = record.stack_info
        # ASCII: no reader of lines finds the end of one in it, whatever it takes for one.
        return json.dumps(line, ensure_ascii=True, allow_nan=False)


def _plain(value: object) -> object:
    """Return a value as JSON has it; what it does not have as text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return _clean(str(value))[:MAX_VALUE_LENGTH]


def _clean(text: str) -> str:
    return _SIGNED_LINK.sub("/files/...", text) if "/files/" in text else text


def logging_settings(*, style: str, level: str, shows_traces: bool) -> dict[str, Any]:
    """Return Django's LOGGING. style: `json` or `text`; shows_traces: whether text has the ids of traces."""
    text = {"()": "core.logs.TextFormatter", "shows_traces": shows_traces}
    console = {
        "class": "logging.StreamHandler",
        "formatter": "line",
        "filters": ["throttle", "context", "signed_links"],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "throttle": {"()": "core.logs.ThrottleFilter", "prefix": "opentelemetry"},
            "context": {"()": "core.logs.ContextFilter"},
            "signed_links": {"()": "core.logs.SignedLinkFilter"},
        },
        "formatters": {"line": {"()": "core.logs.JsonFormatter"} if style == "json" else text},
        "handlers": {"nowhere": {"class": "logging.NullHandler"}, "console": console},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django gives its logger a handler of its own, so that each line would come twice.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": ["console"], "propagate": False},
            # What clients do wrong is told to them; lines for it would let anybody fill the log.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
            # Each of its tries at a receiver that is away is a warning, and what it gave up an error.
            "opentelemetry": {"level": "ERROR"},
        },
    }
