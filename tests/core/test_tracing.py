"""Trace propagation and spans, also with tracing off and with an unreachable receiver."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, SpanKind, get_current_span

from core import tracing
from core.tracing.sdk import Provider, make_exporter
from renderowl.environment import traces_exporter
from tests.otlp_collector import Collector

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def recorded(traces):
    """The recorded spans by name, once all have ended."""
    return lambda: {span.name: span for span in traces()}


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without OTEL_* variables."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    ("header", "passed_on"),
    [
        (SAMPLED, SAMPLED),
        (f"  {SAMPLED} ", SAMPLED),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        # Bits that this version does not know are not propagated.
        (f"00-{TRACE}-{PARENT}-ff", f"00-{TRACE}-{PARENT}-03"),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-brings", SAMPLED),
        (f"cc-{TRACE}-{PARENT}-01", SAMPLED),
        (f"cc-{TRACE}-{PARENT}-01.what-the-future-brings", ""),
        (f"ff-{TRACE}-{PARENT}-01", ""),
        (f"00-{TRACE}-{PARENT}-01-more", ""),
        (f"00-{'0' * 32}-{PARENT}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (SAMPLED.upper(), ""),
        (f"{SAMPLED},{SAMPLED}", ""),
        (f"{SAMPLED}\r\nX-Evil: 1", ""),
        (SAMPLED.replace("4", "\u0664"), ""),
        (SAMPLED[:-1], ""),
        ("", ""),
    ],
)
def test_reads_traceparent_as_the_standard_says(header: str, passed_on: str) -> None:
    with tracing.continue_trace(header):
        assert tracing.current_traceparent() == passed_on


def test_with_tracing_off_nothing_is_recorded_but_the_trace_is_propagated() -> None:
    assert not tracing.is_enabled()
    with tracing.continue_trace(SAMPLED), tracing.span("work") as span:
        tracing.set_attributes(span, {"a": 1})
        tracing.set_error(span, "no")
        assert not span.is_recording()
        assert tracing.traceparent_of(span) == tracing.current_traceparent() == SAMPLED
        assert tracing.start_span("more") is get_current_span()
    assert tracing.current_traceparent() == ""


def test_spans_nest_and_fail_with_an_exception(recorded) -> None:
    with pytest.raises(KeyError), tracing.span("outer", parent=SAMPLED) as outer:
        assert get_current_span() is outer
        with tracing.span("inner", kind=SpanKind.CLIENT, attributes={"a": 1, "b": None}) as inner:
            assert tracing.current_traceparent() == tracing.traceparent_of(inner)
        raise KeyError("secret-key")
    assert tracing.current_traceparent() == ""
    found = recorded()
    assert f"{found['outer'].context.trace_id:032x}" == TRACE
    assert found["outer"].parent.is_remote
    assert found["inner"].parent.span_id == found["outer"].context.span_id
    assert not found["inner"].parent.is_remote
    assert dict(found["inner"].attributes) == {"a": 1}
    assert dict(found["outer"].attributes) == {"error.type": "KeyError"}
    assert found["outer"].status.description is None
    assert "secret-key" not in found["outer"].to_json()


def test_an_unsampled_trace_is_propagated_but_not_recorded(recorded) -> None:
    with tracing.span("work", parent=f"00-{TRACE}-{PARENT}-00") as span:
        _, trace_id, span_id, flags = tracing.traceparent_of(span).split("-")
    assert (trace_id, flags) == (TRACE, "00")
    assert span_id != PARENT
    assert recorded() == {}


def test_a_span_can_continue_in_another_thread(recorded) -> None:
    started = tracing.start_span("whole", link=SAMPLED)

    def work() -> None:
        with tracing.as_current(started), tracing.span("part"):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    started.end()
    found = recorded()
    assert found["part"].parent.span_id == found["whole"].context.span_id
    assert [f"{link.context.span_id:016x}" for link in found["whole"].links] == [PARENT]


def test_with_tracing_off_a_thread_can_continue_the_callers_trace() -> None:
    seen = []

    def work(span: Span) -> None:
        with tracing.as_current(span), tracing.span("part"):
            seen.append(tracing.current_traceparent())

    for parent in (SAMPLED, ""):
        thread = threading.Thread(target=work, args=(tracing.start_span("whole", parent=parent),))
        thread.start()
        thread.join()
    assert seen == [SAMPLED, ""]


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "studio")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,host.name=here")
    provider = Provider(InMemorySpanExporter(), role="web", token="web-1")
    found = provider.resource.attributes
    assert (found["service.name"], found["host.name"]) == ("studio", "here")
    assert found["deployment.environment.name"] == "test"
    assert found["service.version"]
    provider.shutdown()


@pytest.mark.parametrize("answer", [200, 503])
def test_an_unreachable_receiver_costs_no_time_and_bounded_memory(
    answer: int, monkeypatch: pytest.MonkeyPatch, settings, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector()
    collector.answer = answer
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
    settings.RENDEROWL_OTLP_HEADERS = "x-team=owls%20and%20co"
    monkeypatch.setattr("core.tracing.sdk.LAST_EXPORT_S", 0.3)
    provider = Provider(make_exporter("otlp"), role="web", token="web-1")
    tracing.install(provider)
    began = time.thread_time()
    for number in range(500):
        with tracing.span("work", attributes={"number": number}):
            pass
    spent_s = time.thread_time() - began
    (processor,) = provider._active_span_processor._span_processors
    waiting = len(processor._batch_processor._queue)
    began = time.monotonic()
    tracing.stop()
    stopped_s = time.monotonic() - began
    collector.close()
    assert spent_s < 0.5, "a span costs about 50 us of this thread, exported or not"
    assert waiting <= 64
    assert stopped_s < 2
    assert not tracing.is_enabled()
    if answer == 200:
        assert {span.name for span in collector.spans} == {"work"}
        assert collector.headers[0]["x-team"] == "owls and co"
    else:
        assert collector.spans == []


CHECK = """
import sys, django
django.setup()
import jobs.worker.supervisor, monitoring.tracing
from core import tracing
from django.conf import settings
costly = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf")
for exporter in ("", "console"):
    settings.RENDEROWL_TRACES_EXPORTER = exporter
    tracing.preload(); tracing.start("web")
    print(tracing.is_enabled(), any(name.startswith(costly) for name in sys.modules))
tracing.stop()
"""


def test_the_sdk_is_loaded_only_if_tracing_is_on(tmp_path: Path) -> None:
    env = {**os.environ, "DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", CHECK], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n"), done.returncode) == (["False False", "True True", ""], 0), done.stderr


@pytest.mark.parametrize(
    ("variables", "exporter"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
    ],
)
def test_the_standard_variables_select_the_exporter(clean_environment, variables, exporter: str) -> None:
    for name, value in variables.items():
        clean_environment.setenv(name, value)
    assert traces_exporter() == exporter


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
    ],
)
def test_an_unsupported_exporter_stops_the_start(clean_environment, name: str, value: str) -> None:
    clean_environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")
    clean_environment.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be one of"):
        traces_exporter()
