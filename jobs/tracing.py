"""Tracing of jobs: a PRODUCER span when they are enqueued, a CONSUMER span for each attempt, and log context.

Names follow the OpenTelemetry semantic conventions for messaging spans. The row stores the PRODUCER span's traceparent,
so that attempts, hours later and on other machines, are its children; each is also linked to it.
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
# Outcomes that are not errors; None is an attempt that has not ended.
_NON_ERRORS = frozenset(
    {None, AttemptOutcome.SUCCEEDED, AttemptOutcome.POSTPONED, AttemptOutcome.RELEASED, AttemptOutcome.CANCELLED}
)


@contextmanager
def producer_spans(jobs: Sequence[Job]) -> Iterator[None]:
    """Set `traceparent` on new jobs, which the block writes. Jobs that have one keep it.

    Starts one span for each queue, however many jobs it gets.
    """
    queues: dict[str, list[Job]] = {}
    for job in jobs:
        if not job.traceparent:
            queues.setdefault(job.queue, []).append(job)
    with ExitStack() as spans:
        for queue, rows in queues.items():
            span = tracing.start_span(f"send {queue}", kind=SpanKind.PRODUCER, attributes=_send_attributes(queue, rows))
            spans.callback(span.end)
            for job in rows:
                job.traceparent = tracing.traceparent_of(span)
        yield


def _send_attributes(queue: str, rows: Sequence[Job]) -> tracing.Attributes:
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
    """Start the span of an attempt, for its worker to end; with tracing off it only carries the row's traceparent."""
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
    """Attach the log lines and spans of the block to an attempt."""
    token = request_id.set(job.request_id or job.public_id)
    try:
        with bind_log_context(_labels(job)), tracing.as_current(span):
            yield
    finally:
        request_id.reset(token)


def end_attempt_span(context: JobContext, span: Span) -> None:
    """End the span of an attempt, with its outcome."""
    tracing.set_attributes(span, {"renderowl.job.outcome": context.outcome.value if context.outcome else None})
    if context.outcome not in _NON_ERRORS:
        tracing.set_error(span, context.error_code or str(context.outcome))
    span.end()


def _labels(job: JobSnapshot) -> LogContext:
    return LogContext(user_id=job.user_id, job_id=job.public_id, job_type=job.type)
