"""Alert metrics: named queries with parameters, which rules evaluate.

A query returns a list of samples; each set of labels can become an alert of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from core.registry import Registry
from jobs.models import Job, Worker
from jobs.registry import known_queues
from jobs.selectors import queue_depths
from monitoring.alerting.models import HealthSample
from monitoring.alerting.state_machine import MetricSample
from monitoring.alerting.traffic import count_requests, p95_us
from monitoring.performance.system import oldest_s

# The share of failures that a 99.9 % objective allows.
ERROR_BUDGET = 0.001


@dataclass(frozen=True, slots=True)
class LabeledSample:
    """A sample, None without data. labels: distinguish the samples of one metric."""

    sample: MetricSample | None
    labels: Mapping[str, str] = field(default_factory=dict)


Parameters = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class AlertMetric:
    """A metric for alert rules. parameters: names and defaults.

    sample_when_gone: the sample of labels that the query no longer returns; None for no data.
    """

    name: str
    summary: str
    read: Callable[[datetime, Parameters], list[LabeledSample]]
    parameters: Parameters = field(default_factory=dict)
    sample_when_gone: MetricSample | None = None

    def parameter_error(self, parameters: Any) -> str:
        """Return why the parameters of a rule are invalid; empty if they are valid."""
        if not isinstance(parameters, dict) or set(parameters) - set(self.parameters):
            return f"Allowed parameters of {self.name}: {', '.join(self.parameters) or 'none'}."
        numbers = [value for value in parameters.values() if type(value) in (int, float) and 0 < value < 10**7]
        return "" if len(numbers) == len(parameters) else "Parameters must be seconds, above zero and below 10,000,000."

    def query(self, now: datetime, parameters: Parameters) -> list[LabeledSample]:
        """Return the present samples; missing parameters get their defaults."""
        return self.read(now, {**self.parameters, **parameters})


alert_metrics = Registry[str, AlertMetric]("metric")
MetricReader = Callable[[datetime, Parameters], list[LabeledSample]]


def metric(
    name: str, summary: str, parameters: Parameters | None = None, sample_when_gone: MetricSample | None = None
) -> Callable[[MetricReader], MetricReader]:
    """Register the decorated function as a metric; the arguments are those of `AlertMetric`."""

    def decorate(read: MetricReader) -> MetricReader:
        alert_metrics.register(AlertMetric(name, summary, read, parameters or {}, sample_when_gone))
        return read

    return decorate


@metric("always", "always 1, for a heartbeat")
def _always(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    return [LabeledSample(MetricSample(1.0))]


@metric("error_ratio", "share of 5xx responses, 0 to 1", {"window_s": 300})
def _error_ratio(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    return [LabeledSample(_ratio(now, parameters["window_s"]))]


def _ratio(now: datetime, window_s: float) -> MetricSample | None:
    failed, total = count_requests(now=now, window_s=window_s)
    return MetricSample(failed / total, total) if total else None


@metric(
    "burn_rate",
    "failures relative to those that a 99.9 % objective allows, in both windows",
    {"long_s": 3600, "short_s": 300},
)
def _burn_rate(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    """Read two windows: the long one shows that it matters, the short one that it is still happening."""
    long, short = (_ratio(now, parameters[name]) for name in ("long_s", "short_s"))
    if long is None:
        return [LabeledSample(None)]
    if short is None:
        # No requests, so no failures.
        return [LabeledSample(MetricSample(0.0, long.samples))]
    return [LabeledSample(MetricSample(min(long.value, short.value) / ERROR_BUDGET, short.samples))]


@metric("p95_ms", "95th percentile of the time of all requests", {"window_s": 300})
def _p95(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    found, count = p95_us(now=now, window_s=parameters["window_s"])
    return [LabeledSample(MetricSample(found / 1000, count) if count else None)]


@metric("queue_oldest_s", "seconds that the oldest ready job of a queue has waited", sample_when_gone=MetricSample(0.0))
def _queue_oldest(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    waits = dict.fromkeys(known_queues(), 0.0)
    waits |= {depth.queue: oldest_s(depth.oldest_ready_at, now) for depth in queue_depths()}
    return [LabeledSample(MetricSample(wait_s), {"queue": queue}) for queue, wait_s in waits.items()]


@metric("dead_letters", "jobs that died within the window", {"window_s": 3600})
def _dead_letters(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    since = now - timedelta(seconds=parameters["window_s"])
    return [LabeledSample(MetricSample(Job.objects.dead().filter(finished_at__gt=since).count()))]


@metric("dead_workers", "workers lost within the window", {"window_s": 900})
def _dead_workers(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    """Count workers whose heartbeats ended within the window without a shutdown."""
    silent_before = now - timedelta(seconds=3 * Worker.HEARTBEAT_S)
    since = now - timedelta(seconds=parameters["window_s"])
    lost = Worker.objects.filter(stopped_at__isnull=True, last_seen_at__lte=silent_before, last_seen_at__gt=since)
    return [LabeledSample(MetricSample(lost.count()))]


@metric("health_level", "level of a health check: 0 pass, 1 warn, 2 fail and critical")
def _health(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    found = _health_levels(now)
    return [
        LabeledSample(None if level is None else MetricSample(level), {"check": name}) for name, level in found.items()
    ]


@metric("disk_used_ratio", "share of the disk of DATA_DIR that is used, 0 to 1")
def _disk_used(now: datetime, parameters: Parameters) -> list[LabeledSample]:
    usage = shutil.disk_usage(settings.DATA_DIR)
    # As `df` does, without the blocks reserved for root.
    return [LabeledSample(MetricSample(usage.used / max(usage.used + usage.free, 1)))]


# Three samples: a worker whose slots are all busy may skip some.
_HEALTH_VALID_FOR = timedelta(minutes=3)


def _health_levels(now: datetime) -> dict[str, int | None]:
    """Return the last level of each check, None if that is too old. From rows, as a running check may hang."""
    rows = HealthSample.objects.order_by("check_name").values_list("check_name", "level", "at")
    return {name: level if now - at <= _HEALTH_VALID_FOR else None for name, level, at in rows}
