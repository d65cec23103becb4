"""Tracing of jobs: the row's traceparent, and the spans of its attempts."""

from __future__ import annotations

import pytest

from core import tracing
from core.context import log_context, request_id
from core.ids import encode_id
from jobs import services
from jobs.exceptions import PermanentFailure, RetryLater, TransientFailure
from jobs.models import Job
from jobs.registry import IoSteps, handlers, io_handler
from jobs.services import NewJob
from tests.factories import make_user
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db
SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traceparent_of(span) -> str:
    context = span.context
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def named(traces, name):
    return [span for span in traces() if span.name == name]


def test_attempts_are_children_of_the_producer_span_and_linked_to_it(handler, traces) -> None:
    failures = [TransientFailure("busy", "secret-message"), None]

    def run(context) -> None:
        if failure := failures.pop(0):
            raise failure

    handler(run, retry_delays_s=(0.0,))
    alice = make_user("alice")
    with tracing.span("POST", parent=SAMPLED):
        row = services.enqueue(type="test.job", user_id=alice.pk)
    assert run_pending() == 2
    (sent,) = named(traces, "send default")
    assert (sent.kind.name, f"{sent.context.trace_id:032x}") == ("PRODUCER", SAMPLED.split("-")[1])
    row.refresh_from_db()
    assert (row.traceparent, row.status) == (traceparent_of(sent), "succeeded")
    assert sent.attributes["messaging.message.id"] == row.public_id
    first, second = named(traces, "process default")
    for number, (span, outcome) in enumerate(((first, "failed"), (second, "succeeded")), start=1):
        assert span.kind.name == "CONSUMER"
        assert (span.parent.span_id, span.context.trace_id) == (sent.context.span_id, sent.context.trace_id)
        assert [link.context.span_id for link in span.links] == [sent.context.span_id]
        assert span.attributes["renderowl.job.id"] == row.public_id
        assert span.attributes["renderowl.job.type"] == "test.job"
        assert span.attributes["renderowl.account.id"] == alice.public_id
        assert (span.attributes["renderowl.job.attempt"], span.attributes["renderowl.job.outcome"]) == (number, outcome)
    assert (first.attributes["error.type"], first.status.status_code.name) == ("busy", "ERROR")
    assert second.status.is_unset
    assert "secret-message" not in "".join(span.to_json() for span in traces())


@pytest.mark.parametrize(
    ("raised", "outcome", "error"),
    [
        (RetryLater(60), "postponed", None),
        (PermanentFailure("gone", "x"), "failed", "gone"),
        (ZeroDivisionError("x"), "failed", "handler_error"),
    ],
)
def test_a_span_has_the_outcome_of_its_attempt(handler, traces, raised, outcome, error) -> None:
    def run(context) -> None:
        raise raised

    handler(run)
    services.enqueue(type="test.job")
    assert run_pending(limit=1) == 1
    (span,) = named(traces, "process default")
    assert (span.attributes["renderowl.job.outcome"], span.attributes.get("error.type")) == (outcome, error)


def test_jobs_enqueued_by_jobs_continue_the_trace(handler, traces) -> None:
    handler(lambda context: services.enqueue(type="test.second") and None)
    handler(name="test.second", queue="second")
    with tracing.span("POST", parent=SAMPLED):
        services.enqueue(type="test.job")
    assert run_pending() == 2
    parents = {span.context.span_id: span for span in traces()}
    (span,) = named(traces, "process second")
    names = [span.name]
    while span.parent.span_id in parents:
        span = parents[span.parent.span_id]
        names.append(span.name)
    assert names == ["process second", "send second", "process default", "send default", "POST"]
    assert traceparent_of(span).split("-")[1] == SAMPLED.split("-")[1]


def test_many_jobs_have_one_producer_span_per_queue(handler, traces) -> None:
    handler()
    handler(name="test.other", queue="other")
    own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    jobs = [NewJob("test.job"), NewJob("test.job"), NewJob("test.other"), NewJob("test.job", traceparent=own)]
    rows = services.enqueue_many(jobs=jobs)
    (many,), (one,) = named(traces, "send default"), named(traces, "send other")
    assert [row.traceparent for row in rows] == [traceparent_of(many), traceparent_of(many), traceparent_of(one), own]
    assert list(Job.objects.order_by("pk").values_list("traceparent", flat=True)) == [row.traceparent for row in rows]
    assert many.attributes["messaging.batch.message_count"] == 2
    assert one.attributes["messaging.message.id"] == rows[2].public_id


def test_with_tracing_off_the_callers_traceparent_is_passed_on(handler) -> None:
    seen = []

    def run(context) -> None:
        seen.append(tracing.current_traceparent())
        if context.job.payload.get("more"):
            services.enqueue(type="test.job")

    handler(run)
    with tracing.continue_trace(SAMPLED):
        services.enqueue(type="test.job", payload={"more": True})
    services.enqueue(type="test.job")
    assert run_pending() == 3
    assert sorted(seen) == sorted(Job.objects.values_list("traceparent", flat=True)) == ["", SAMPLED, SAMPLED]
    assert tracing.current_traceparent() == ""


def test_all_steps_of_an_io_job_run_in_its_span(traces) -> None:
    traceparents = []

    def step(*args):
        traceparents.append(tracing.current_traceparent())

    steps = IoSteps(load=step, perform=step, record=step)
    with handlers.override():
        io_handler("test.io", steps, queue="test-io")
        services.enqueue(type="test.io")
        assert run_pending() == 1
    (span,) = named(traces, "process test-io")
    assert traceparents == [traceparent_of(span)] * 3


def test_log_context_of_an_attempt_has_its_job(handler) -> None:
    seen = []

    def run(context) -> None:
        found = log_context.get()
        seen.append((request_id.get(), found.job_id, found.job_type, found.account_id))

    handler(run)
    alice = make_user("alice")
    row = services.enqueue(type="test.job", user_id=alice.pk)
    assert run_pending() == 1
    assert seen == [(row.public_id, row.public_id, "test.job", encode_id("usr", alice.pk))]
    assert log_context.get() is None
