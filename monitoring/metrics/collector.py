"""Metrics that are read from the database when somebody scrapes, at most every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from django.db import DatabaseError
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.health.base import CheckResult
from monitoring.health.views import runner
from monitoring.metrics import queries
from monitoring.metrics.queues import read_queues

CACHE_TTL_S = 5.0
MAX_QUEUES = 100


class RenderowlCollector(Collector):
    """The numbers of this installation: the same whichever process is asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._metrics: list[Metric] = []
        self._fresh_until = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the registry would otherwise read the database to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give the metrics; one reading at a time, whoever else asks meanwhile."""
        with self._guard:
            if self._clock() >= self._fresh_until:
                self._metrics = [*_of_health(runner.results(runner.names)), *_of_database()]
                self._fresh_until = self._clock() + CACHE_TTL_S
            found = self._metrics
        yield from found


def _of_database() -> list[Metric]:
    up = GaugeMetricFamily("renderowl_database_up", "Whether the database could be read for these metrics.")
    try:
        found = [*_of_queues(), *_of_work(), *_of_installation()]
    except DatabaseError:
        up.add_metric([], 0)
        return [up]
    up.add_metric([], 1)
    return [up, *found]


def _of_health(results: Sequence[CheckResult]) -> Iterator[Metric]:
    states = GaugeMetricFamily("renderowl_health_status", "State of a check: 0 pass, 1 warn, 2 fail.", labels=["check"])
    names = {"disk:free": "renderowl_disk_free_bytes", "disk:total": "renderowl_disk_total_bytes"}
    for result in results:
        states.add_metric([result.check.name], int(result.status))
        for seen in result.observations:
            name = names.get(f"{result.check.name}:{seen.name}")
            if name:
                yield GaugeMetricFamily(name, "Space of the file system of DATA_DIR.", value=float(seen.value))
    yield states


def _of_queues() -> Iterator[Metric]:
    found = read_queues(timezone.now())
    gauges = (
        ("ready", "Jobs that a worker may claim now."),
        ("oldest_seconds", "How long the oldest ready job has been due."),
        ("held", "Jobs that are due in a paused queue."),
        ("running", "Jobs at work."),
        ("scheduled", "Jobs that are due later."),
        ("blocked", "Jobs that wait for a limit of their account."),
        ("slots", "Jobs that the workers of the queue can run at a time."),
    )
    for gauge, text in gauges:
        family = GaugeMetricFamily(f"renderowl_queue_{gauge}", text, labels=["queue"])
        for queue in found.queues[:MAX_QUEUES]:
            family.add_metric([queue.queue], getattr(queue, gauge))
        yield family
    yield GaugeMetricFamily("renderowl_workers_alive", "Workers heard of lately.", value=found.workers)
    yield GaugeMetricFamily("renderowl_workers_slots", "Jobs that all workers can run at a time.", value=found.slots)
    yield GaugeMetricFamily("renderowl_workers_busy_ratio", "Share of the slots that work.", value=found.busy_ratio)
    dead = queries.dead_workers()
    yield GaugeMetricFamily("renderowl_workers_dead", "Workers that fell silent within the last hour.", value=dead)


def _of_work() -> Iterator[Metric]:
    ended = GaugeMetricFamily(
        "renderowl_jobs_ended_5m", "Jobs that ended within the last 5 minutes.", labels=["type", "outcome"]
    )
    for (kind, outcome), count in sorted(queries.jobs_ended().items()):
        ended.add_metric([kind, outcome], count)
    yield ended
    yield GaugeMetricFamily("renderowl_jobs_dead", "Dead letters that are kept.", value=queries.dead_letters())
    sent = GaugeMetricFamily(
        "renderowl_webhook_deliveries_1h", "Deliveries of webhooks made within the last hour.", labels=["status"]
    )
    for status, count in sorted(queries.deliveries().items()):
        sent.add_metric([status], count)
    yield sent
    totals = queries.totals()
    renders = CounterMetricFamily("renderowl_renders", "Renders, by what became of them.", labels=["outcome"])
    for outcome, number in totals.renders.items():
        renders.add_metric([outcome], number)
    yield renders
    counters = (
        ("renderowl_render_output_seconds", "Seconds of media in finished renders.", totals.output_s),
        ("renderowl_render_work_seconds", "Seconds of work in the attempts that made them.", totals.work_s),
        ("renderowl_render_wait_seconds", "Seconds that renders waited before they started.", totals.waited_s),
        ("renderowl_credits_charged", "Credits charged for renders.", totals.credits),
    )
    for name, text, value in counters:
        yield CounterMetricFamily(name, text, value=value)


def _of_installation() -> Iterator[Metric]:
    database = queries.database_sizes()
    yield GaugeMetricFamily("renderowl_database_size_bytes", "Size of the database.", value=database.size_bytes)
    if database.wal_bytes is not None:
        text = "Size of SQLite's write-ahead log."
        yield GaugeMetricFamily("renderowl_database_wal_bytes", text, value=database.wal_bytes)
    servers = queries.servers()
    yield GaugeMetricFamily("renderowl_server_processes", "Server processes heard of lately.", value=servers.count)
    text = "Anonymous memory of the server processes."
    yield GaugeMetricFamily("renderowl_server_memory_bytes", text, value=servers.memory_bytes)
    text = "Requests that could not be written down."
    yield GaugeMetricFamily("renderowl_server_unrecorded_requests", text, value=servers.lost)
    cache = queries.response_cache()
    yield GaugeMetricFamily(
        "renderowl_response_cache_hits_1m", "Answers from the cache, last minute.", value=cache.hits
    )
    text = "Answers that a cache was asked for, last minute."
    yield GaugeMetricFamily("renderowl_response_cache_lookups_1m", text, value=cache.lookups)
