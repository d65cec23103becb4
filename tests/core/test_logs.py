"""Log lines: their context fields, and protection from forged lines."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from core import tracing
from core.context import LogContext, bind_log_context, request_id, set_account
from core.ids import encode_id, uuid7
from core.logs import logging_settings
from renderowl.environment import log_format

FORGED = 'x\n2026-11-23 20:00:00,000 ERROR core [-] forged\r\n{"message": "forged"}\u2028\x85{"message": "forged"}'
FORGED += "\x1b[2J\x00"


@pytest.fixture
def written() -> Any:
    """Log in a style into memory: `written("json")` gives a logger and a function that returns what was written."""
    before = logging.getLogger("test.lines")

    def start(style: str, *, shows_traces: bool = False) -> tuple[logging.Logger, Callable[[], str]]:
        stream = io.StringIO()
        options = logging_settings(style=style, level="INFO", shows_traces=shows_traces)
        options["handlers"]["console"]["stream"] = stream
        options["loggers"] = {"test.lines": {"handlers": ["console"], "propagate": False}}
        del options["root"]
        logging.config.dictConfig({**options, "incremental": False})
        return logging.getLogger("test.lines"), stream.getvalue

    yield start
    before.handlers.clear()
    before.propagate = True


def test_a_line_names_request_trace_job_and_account(written, traces) -> None:
    logger, text = written("json")
    user_id = uuid7()
    token = request_id.set("request-one")
    with bind_log_context(LogContext(job_id="job_1", job_type="test.job")), tracing.span("work") as span:
        set_account(user_id)
        logger.info("%d of %d", 1, 2, extra={"action": "count", "took_s": 0.5, "job_id": "job_2", "ids": {1}})
    request_id.reset(token)
    line = json.loads(text())
    _, trace_id, span_id, _ = tracing.traceparent_of(span).split("-")
    when = datetime.fromisoformat(line.pop("time"))
    assert abs((datetime.now(when.tzinfo) - when).total_seconds()) < 5
    assert line == {
        "level": "INFO",
        "logger": "test.lines",
        "message": "1 of 2",
        "request_id": "request-one",
        "trace_id": trace_id,
        "span_id": span_id,
        # The record's own attributes take precedence.
        "job_id": "job_2",
        "job_type": "test.job",
        "account_id": encode_id("usr", user_id),
        "action": "count",
        "took_s": 0.5,
        "ids": [1],
    }


def test_without_spans_a_line_names_the_callers_trace_and_no_span(written) -> None:
    logger, text = written("json")
    with tracing.continue_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"):
        logger.info("a")
    logger.info("b")
    first, second = map(json.loads, text().splitlines())
    assert first["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert set(second) == {"time", "level", "logger", "message"}
    assert "span_id" not in first


def test_input_cannot_forge_a_line_of_json(written) -> None:
    logger, text = written("json")
    odd = {"path": FORGED, "number": float("nan"), "large": 10**40, "half": "\ud800", "thing": object(), FORGED: 1}
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("no %s", FORGED, extra=odd)
    (line,) = text().splitlines()
    found = json.loads(line, parse_constant=pytest.fail)
    assert (found["message"], found["path"], found["level"]) == (f"no {FORGED}", FORGED, "ERROR")
    assert (found["number"], found["large"], found["half"]) == ("nan", 10**40, "\ud800")
    assert found["exception"]["type"] == "builtins.ValueError"
    assert found["exception"]["message"] == FORGED
    assert "test_input_cannot_forge_a_line_of_json" in found["exception"]["traceback"]
    assert line.isascii()


def test_input_cannot_forge_a_line_of_text(written) -> None:
    logger, text = written("text")
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("no %s", FORGED)
    first, *others = text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR test\.lines \[-\] no x", first)
    assert others
    assert all(line.startswith("    ") for line in others)
    assert "\\x1b[2J\\x00" in text()
    assert not re.search(r"[\x00\x1b\u2028\x85]", text())


def test_text_shows_traces_only_if_enabled(written) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for shows, work in ((False, "[-]"), (True, "[- 4bf92f3577b34da6a3ce929d0e0e4736]")):
        logger, text = written("text", shows_traces=shows)
        with tracing.continue_trace(traceparent):
            logger.info("a")
        assert f" test.lines {work} a" in text()


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_style_shows_tokens_of_signed_links(written, style: str) -> None:
    logger, text = written(style)
    try:
        raise OSError("/files/tOkEn_1/a.mp4")
    except OSError:
        logger.exception("at %s", "/files/uploads/tOkEn_2", extra={"link": "http://h/files/tOkEn_3/a"})
    assert "/files/..." in text()
    assert "tOkEn" not in text()


def test_a_repetitive_library_logs_once_a_minute(written) -> None:
    logger, text = written("json")
    handler = logger.handlers[0]
    for name, seconds in (("opentelemetry.sdk", 0), ("opentelemetry.x", 59), ("opentelemetry.x", 61), ("other", 62)):
        record = logging.LogRecord(name, logging.ERROR, "", 1, f"at {seconds}", (), None)
        record.created = 1000.0 + seconds
        handler.handle(record)
    assert [json.loads(line)["message"] for line in text().splitlines()] == ["at 0", "at 61", "at 62"]


@pytest.mark.parametrize(
    ("variable", "is_debug", "style"),
    [("", True, "text"), ("", False, "json"), ("json", True, "json"), ("TEXT", False, "text")],
)
def test_machines_get_json_and_people_text(monkeypatch, variable: str, is_debug: bool, style: str) -> None:
    monkeypatch.setenv("LOG_FORMAT", variable)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert log_format(is_debug=is_debug) == style
