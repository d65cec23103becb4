"""Prometheus collector of metrics from the database, which it reads at most every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from django.db import DatabaseError
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from maintenance.stats import describe_database
from monitoring.health.base import CheckResult
from monitoring.health.queue import count_dead_workers
from monitoring.health.views import runner
from monitoring.metrics import queries
from monitoring.metrics.queues import read_queues

CACHE_TTL_S = 5.0
MAX_QUEUES = 100


class RenderowlCollector(Collector):
    """Metrics of the whole installation, the same in every process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._metrics: list[Metric] = []
        self._fresh_until = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the registry would otherwise read the database to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; concurrent scrapes share one reading."""
        with self._guard:
            if self._clock() >= self._fresh_until:
                self._metrics = [*_health_metrics(runner.results(runner.names)), *_database_metrics()]
                self._fresh_until = self._clock() + CACHE_TTL_S
            metrics = self._metrics
        yield from metrics


def _database_metrics() -> list[Metric]:
    up = GaugeMetricFamily("renderowl_database_up", "Whether the database could be read for these metrics.")
    try:
        metrics = [*_queue_metrics(), *_work_metrics(), *_installation_metrics()]
    except DatabaseError:
        up.add_metric([], 0)
        return [up]
    up.add_metric([], 1)
    return [up, *metrics]


def _health_metrics(results: Sequence[CheckResult]) -> Iterator[Metric]:
    text = "Status of a health check: 0 pass, 1 warn, 2 fail."
    states = GaugeMetricFamily("renderowl_health_status", text, labels=["check"])
    names = {"disk:free": "renderowl_disk_free_bytes", "disk:total": "renderowl_disk_total_bytes"}
    for result in results:
        states.add_metric([result.check.name], int(result.status))
        for found in result.observations:
            name = names.get(f"{result.check.name}:{found.name}")
            if name:
                yield GaugeMetricFamily(name, "Space on the file system of DATA_DIR.", value=float(found.value))
    yield states


def _queue_metrics() -> Iterator[Metric]:
    workload = read_queues(timezone.now())
    gauges = (
        ("ready", "Jobs that a worker can claim now."),
        ("oldest_seconds", "How long the oldest ready job has been due."),
        ("held", "Jobs that are due in a paused queue."),
        ("running", "Jobs that are running."),
        ("scheduled", "Jobs that are due later."),
        ("blocked", "Jobs that wait for a limit of their account."),
        ("slots", "Jobs that the queue's workers can run at a time."),
    )
    for gauge, text in gauges:
        family = GaugeMetricFamily(f"renderowl_queue_{gauge}", text, labels=["queue"])
        for queue in workload.queues[:MAX_QUEUES]:
            family.add_metric([queue.queue], getattr(queue, gauge))
        yield family
    yield GaugeMetricFamily("renderowl_workers_alive", "Workers with a recent heartbeat.", value=workload.workers)
    yield GaugeMetricFamily("renderowl_workers_slots", "Jobs that all workers can run at a time.", value=workload.slots)
    yield GaugeMetricFamily("renderowl_workers_busy_ratio", "Share of busy slots.", value=workload.busy_ratio)
    dead = count_dead_workers(timezone.now())
    yield GaugeMetricFamily("renderowl_workers_dead", "Workers lost within the last hour.", value=dead)


def _work_metrics() -> Iterator[Metric]:
    text = "Jobs that ended within the last 5 minutes."
    ended = GaugeMetricFamily("renderowl_jobs_ended_5m", text, labels=["type", "outcome"])
    for (kind, outcome), count in sorted(queries.jobs_ended().items()):
        ended.add_metric([kind, outcome], count)
    yield ended
    yield GaugeMetricFamily("renderowl_jobs_dead", "Dead letters in the database.", value=queries.dead_letters())
    text = "Webhook deliveries created within the last hour."
    deliveries = GaugeMetricFamily("renderowl_webhook_deliveries_1h", text, labels=["status"])
    for status, count in sorted(queries.deliveries().items()):
        deliveries.add_metric([status], count)
    yield deliveries
    totals = queries.totals()
    renders = CounterMetricFamily("renderowl_renders", "Renders by outcome.", labels=["outcome"])
    for outcome, count in totals.renders.items():
        renders.add_metric([outcome], count)
    yield renders
    counters = (
        ("renderowl_render_output_seconds", "Seconds of media in finished renders.", totals.output_s),
        ("renderowl_render_work_seconds", "Seconds of work in their successful attempts.", totals.work_s),
        ("renderowl_render_wait_seconds", "Seconds that renders waited before they started.", totals.waited_s),
        ("renderowl_credits_charged", "Credits charged for renders.", totals.credits),
    )
    for name, text, value in counters:
        yield CounterMetricFamily(name, text, value=value)


def _installation_metrics() -> Iterator[Metric]:
    database = describe_database()
    yield GaugeMetricFamily("renderowl_database_size_bytes", "Size of the database.", value=database["size_bytes"])
    if database["wal_bytes"] is not None:
        text = "Size of SQLite's write-ahead log."
        yield GaugeMetricFamily("renderowl_database_wal_bytes", text, value=database["wal_bytes"])
    servers = queries.servers()
    yield GaugeMetricFamily("renderowl_server_processes", "Running server processes.", value=servers.count)
    text = "Anonymous memory of the server processes."
    yield GaugeMetricFamily("renderowl_server_memory_bytes", text, value=servers.memory_bytes)
    text = "Requests that could not be recorded."
    yield GaugeMetricFamily("renderowl_server_unrecorded_requests", text, value=servers.lost)
    cache = queries.response_cache()
    text = "Responses from the cache, last minute."
    yield GaugeMetricFamily("renderowl_response_cache_hits_1m", text, value=cache.hits)
    text = "Lookups in the response cache, last minute."
    yield GaugeMetricFamily("renderowl_response_cache_lookups_1m", text, value=cache.lookups)
