"""Jobs in traces: a PRODUCER span where they are enqueued, a CONSUMER span for each attempt, and labels for the log.

Source of the names: OpenTelemetry, semantic conventions for messaging spans. The row carries the place of the PRODUCER
span, so that attempts, hours later and on other machines, are its children; each is also linked to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from opentelemetry.trace import Span, SpanKind

from core import tracing
from core.context import LogContext, bind_log_context, request_id
from jobs.context import JobContext
from jobs.models import Job
from jobs.snapshot import JobSnapshot
from jobs.states import AttemptOutcome

SYSTEM = "renderowl"
# Ends that are nobody's fault, and those that are not an end.
_NO_FAILURES = frozenset(
    {None, AttemptOutcome.SUCCEEDED, AttemptOutcome.POSTPONED, AttemptOutcome.RELEASED, AttemptOutcome.CANCELLED}
)


@contextmanager
def producer_spans(jobs: Sequence[Job]) -> Iterator[None]:
    """Give new jobs their place in the trace of the work in progress; the block writes them.

    Jobs that bring a place keep it. One span for each queue, however many jobs it gets.
    """
    queues: dict[str, list[Job]] = {}
    for job in jobs:
        if not job.traceparent:
            queues.setdefault(job.queue, []).append(job)
    with ExitStack() as spans:
        for queue, rows in queues.items():
            span = tracing.start_span(f"send {queue}", kind=SpanKind.PRODUCER, attributes=_sent(queue, rows))
            spans.callback(span.end)
            place = tracing.traceparent_of(span)
            for job in rows:
                job.traceparent = place
        yield


def _sent(queue: str, rows: Sequence[Job]) -> tracing.Attributes:
    is_one = len(rows) == 1
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": queue,
        "messaging.message.id": rows[0].public_id if is_one and tracing.is_enabled() else None,
        "messaging.batch.message_count": None if is_one else len(rows),
        "renderowl.job.type": rows[0].type,
    }


def start_attempt_span(job: JobSnapshot) -> Span:
    """Return the span of an attempt, for its worker to end; off, it only carries the place of the job's row."""
    attributes: tracing.Attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": job.queue,
        "messaging.message.id": job.public_id,
        "messaging.client.id": job.worker,
        "renderowl.job.id": job.public_id,
        "renderowl.job.type": job.type,
        "renderowl.job.attempt": job.attempt,
        "renderowl.request.id": job.request_id or None,
        "renderowl.account.id": _labels(job).account_id or None,
    }
    return tracing.start_span(
        f"process {job.queue}",
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        parent=job.traceparent,
        link=job.traceparent,
    )


@contextmanager
def attempt_context(job: JobSnapshot, span: Span) -> Iterator[None]:
    """Let log lines and spans of the block belong to an attempt."""
    token = request_id.set(job.request_id or job.public_id)
    try:
        with bind_log_context(_labels(job)), tracing.as_current(span):
            yield
    finally:
        request_id.reset(token)


def end_attempt_span(context: JobContext, span: Span) -> None:
    """End the span of an attempt with how it ended."""
    tracing.set_attributes(span, {"renderowl.job.outcome": context.outcome.value if context.outcome else None})
    if context.outcome not in _NO_FAILURES:
        tracing.set_error(span, context.error_code or str(context.outcome))
    span.end()


def _labels(job: JobSnapshot) -> LogContext:
    return LogContext(user_id=job.user_id, job_id=job.public_id, job_type=job.type)
