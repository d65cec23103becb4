"""Log format: one line per record, with its request or job, and without signed links.

Text is for people, JSON for machines. Messages may contain what clients send, so both escape line breaks and control
characters: a client cannot forge a line.
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
# Line breaks of any log reader, and control characters of terminals.
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "response"}
_CONTEXT_FIELDS = ("request_id", "trace_id", "span_id", "job_id", "job_type", "account_id")
MAX_VALUE_LENGTH = 2000
THROTTLE_S = 60.0


class ContextFilter(logging.Filter):
    """Add request, trace, job and account to every record; the record's own attributes take precedence."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Enrich the record. Django logs some responses after the request's context has ended."""
        record.request_id = getattr(getattr(record, "request", None), "request_id", request_id.get())
        for name, value in _current_context().items():
            if value and not hasattr(record, name):
                setattr(record, name, value)
        return True


def _current_context() -> dict[str, str]:
    context = log_context.get()
    span_context = get_current_span().get_span_context()
    return {
        "trace_id": format_trace_id(span_context.trace_id) if span_context.is_valid else "",
        # Without spans of our own it would be the caller's span.
        "span_id": format_span_id(span_context.span_id) if span_context.is_valid and tracing.is_enabled() else "",
        "job_id": context.job_id if context else "",
        "job_type": context.job_type if context else "",
        "account_id": context.account_id if context else "",
    }


class SignedLinkFilter(logging.Filter):
    """Remove the tokens of signed links: readers of the log must not get the files."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the message of the record."""
        message = record.getMessage()
        if "/files/" in message:
            record.msg, record.args = _clean(message), ()
        return True


class ThrottleFilter(logging.Filter):
    """Pass one record per minute of a library that repeats itself during an outage."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self._next_at = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is not the library's, or the first of its minute."""
        if not super().filter(record):
            return True
        if record.created < self._next_at:
            return False
        self._next_at = record.created + THROTTLE_S
        return True


class TextFormatter(logging.Formatter):
    """Lines for people. Further lines of a record, as of a traceback, are indented."""

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
        """Return a traceback without the tokens of links."""
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
        # ASCII has none of the characters that some readers take for line breaks.
        return json.dumps(line, ensure_ascii=True, allow_nan=False)


def _plain(value: object) -> object:
    """Return a JSON value; text for any other type."""
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
    """Return Django's LOGGING. style: `json` or `text`; shows_traces: whether text includes trace ids."""
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
        "handlers": {"null": {"class": "logging.NullHandler"}, "console": console},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's logger has a handler of its own, which would write each line twice.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": ["console"], "propagate": False},
            # No lines for errors of clients, which could fill the log.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"handlers": ["null"], "propagate": False},
            # It logs each failed attempt to export as a warning, and spans that it drops as an error.
            "opentelemetry": {"level": "ERROR"},
        },
    }
