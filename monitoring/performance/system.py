"""System report: processes, memory, CPU, database, queues, workers and cache."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from jobs.models import Worker
from jobs.selectors import queue_depths
from maintenance.stats import describe_database
from monitoring.models import ServerProcess
from monitoring.performance.monitor import monitor
from monitoring.performance.report import route_totals_in
from monitoring.performance.windows import window_before

_MEMINFO = Path("/proc/meminfo")
CACHE_WINDOW_S = 3600


def describe_system() -> dict[str, Any]:
    """Return the system report as JSON members."""
    now = timezone.now()
    processes = _processes(now)
    return {
        "now": now,
        "uptime_s": max((process["uptime_s"] for process in processes), default=0.0),
        "processes": processes,
        "memory": {"anonymous_bytes": sum(process["memory_bytes"] for process in processes), **machine_memory()},
        "cpu": _cpu(processes),
        "database": describe_database(),
        "queue": _queues(now),
        "workers": _workers(now),
        "cache": _cache(now),
    }


def _processes(now: datetime) -> list[dict[str, Any]]:
    alive_since = now - ServerProcess.heartbeat_timeout()
    rows = ServerProcess.objects.filter(last_seen_at__gt=alive_since, stopped_at__isnull=True)
    others = [row for row in rows.order_by("-last_seen_at") if row.token != monitor.token]
    # This process is described directly, as its row is older.
    return [_row(row, now) for row in (monitor.describe_process(now=now.timestamp()), *others)]


def _row(row: ServerProcess, now: datetime) -> dict[str, Any]:
    return {
        "hostname": row.hostname,
        "pid": row.pid,
        "is_this": row.token == monitor.token,
        "started_at": row.started_at,
        "last_seen_at": row.last_seen_at,
        "uptime_s": round((now - row.started_at).total_seconds(), 1),
        "requests": row.requests,
        "lost": row.lost,
        "memory_bytes": row.memory_bytes,
        "cpu_s": row.cpu_s,
        "cpu_ratio": row.cpu_ratio,
        "threads": row.threads,
    }


def machine_memory() -> dict[str, int | None]:
    """Return total and available memory of the machine; None if the system does not report them."""
    names = {"MemTotal": "machine_bytes", "MemAvailable": "available_bytes"}
    memory: dict[str, int | None] = dict.fromkeys(names.values())
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return memory  # not Linux
    for line in lines:
        name, _, rest = line.partition(":")
        if name in names:
            memory[names[name]] = int(rest.split()[0]) * 1024
    return memory


def _cpu(processes: list[dict[str, Any]]) -> dict[str, Any]:
    load = os.getloadavg()
    return {
        "cores": os.cpu_count(),
        "load_1m": round(load[0], 2),
        "load_5m": round(load[1], 2),
        "load_15m": round(load[2], 2),
        "processes_ratio": round(sum(process["cpu_ratio"] for process in processes), 4),
    }


def _queues(now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "queue": depth.queue,
            "ready": depth.ready,
            "running": depth.running,
            "scheduled": depth.scheduled,
            "blocked": depth.blocked,
            "oldest_ready_s": oldest_s(depth.oldest_ready_at, now),
        }
        for depth in queue_depths()
    ]


def oldest_s(since: datetime | None, now: datetime) -> float:
    """Return the seconds since a time, 0.0 for None: the wait of the oldest ready job."""
    return max(0.0, round((now - since).total_seconds(), 3)) if since is not None else 0.0


def live_workers(now: datetime) -> list[Worker]:
    """Return the workers with a recent heartbeat."""
    alive_since = now - timedelta(seconds=3 * Worker.HEARTBEAT_S)
    return list(Worker.objects.filter(stopped_at__isnull=True, last_seen_at__gt=alive_since))


def _workers(now: datetime) -> dict[str, int]:
    workers = live_workers(now)
    return {
        "alive": len(workers),
        "slots": sum(worker.concurrency for worker in workers),
        "busy_slots": sum(worker.busy for worker in workers),
    }


def _cache(now: datetime) -> dict[str, Any]:
    """Return the hit rate of the response cache in the last hour, by the `X-Cache` of responses."""
    totals = route_totals_in(window_before(now, CACHE_WINDOW_S, now), monitor.snapshot())
    hits = sum(route.total.cache_hits for route in totals.values())
    lookups = sum(route.total.cache_lookups for route in totals.values())
    rate = round(hits / lookups, 5) if lookups else 0.0
    return {"window_s": CACHE_WINDOW_S, "hits": hits, "lookups": lookups, "hit_rate": rate}
