"""Built-in alert rules. Each is created once; edits by staff are kept."""

from __future__ import annotations

from typing import Any

from monitoring.alerting.models import AlertRule
from monitoring.alerting.state_machine import Severity

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
MIN_REQUESTS = 20


def _burn_rate_rule(name: str, times: float, long_s: int, short_s: int, severity: Severity) -> dict[str, Any]:
    return {
        "name": name,
        "summary": f"Requests fail {times:g} times faster than a 99.9 % objective allows",
        "metric": "burn_rate",
        "parameters": {"long_s": long_s, "short_s": short_s},
        "fire_above": times,
        "clear_below": times,
        "keep_firing_for_s": 2 * MINUTE_S,
        "severity": severity,
        "minimum_samples": MIN_REQUESTS,
    }


# Thresholds of 0.5 separate zero from one: a single occurrence fires.
DEFAULT_RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "Watchdog",
        "summary": "Always fires: if its messages stop, alerting itself is broken",
        "metric": "always",
        "fire_above": 0.5,
        "clear_below": 0.5,
        "severity": Severity.NONE,
        "reminder_s": 5 * MINUTE_S,
    },
    {
        "name": "ErrorRateIsHigh",
        "summary": "More than 10 % of all requests fail",
        "metric": "error_ratio",
        "parameters": {"window_s": 5 * MINUTE_S},
        "fire_above": 0.10,
        "clear_below": 0.07,
        "for_s": 2 * MINUTE_S,
        "keep_firing_for_s": 2 * MINUTE_S,
        "severity": Severity.PAGE,
        "minimum_samples": MIN_REQUESTS,
    },
    {
        "name": "ResponsesAreSlow",
        "summary": "More than 5 % of requests take longer than a second",
        "metric": "p95_ms",
        "parameters": {"window_s": 5 * MINUTE_S},
        "fire_above": 1000,
        "clear_below": 800,
        "for_s": 5 * MINUTE_S,
        "keep_firing_for_s": 5 * MINUTE_S,
        "minimum_samples": MIN_REQUESTS,
    },
    {
        "name": "QueueIsLate",
        "summary": "The oldest ready job has waited for more than five minutes",
        "metric": "queue_oldest_s",
        "fire_above": 5 * MINUTE_S,
        "clear_below": 2 * MINUTE_S,
        "page_above": 30 * MINUTE_S,
        "for_s": 2 * MINUTE_S,
        "keep_firing_for_s": 2 * MINUTE_S,
        "alerts_on_no_data": True,
    },
    {
        "name": "JobsDied",
        "summary": "Jobs became dead letters within the last hour",
        "metric": "dead_letters",
        "parameters": {"window_s": HOUR_S},
        "fire_above": 0.5,
        "clear_below": 0.5,
    },
    {
        "name": "WorkerIsSilent",
        "summary": "A worker stopped sending heartbeats",
        "metric": "dead_workers",
        "parameters": {"window_s": 15 * MINUTE_S},
        "fire_above": 0.5,
        "clear_below": 0.5,
        "for_s": 30,
    },
    {
        "name": "CheckFails",
        "summary": "A health check does not pass",
        "metric": "health_level",
        "fire_above": 0.5,
        "clear_below": 0.5,
        "page_above": 1.5,
        "for_s": 90,
        "keep_firing_for_s": MINUTE_S,
    },
    {
        "name": "DiskIsFilling",
        "summary": "More than 90 % of the disk is used",
        "metric": "disk_used_ratio",
        "fire_above": 0.90,
        "clear_below": 0.87,
        "page_above": 0.97,
        "for_s": 5 * MINUTE_S,
        "keep_firing_for_s": 5 * MINUTE_S,
        "alerts_on_no_data": True,
    },
    _burn_rate_rule("BudgetBurnsFast", 14.4, HOUR_S, 5 * MINUTE_S, Severity.PAGE),
    _burn_rate_rule("BudgetBurns", 6, 6 * HOUR_S, 30 * MINUTE_S, Severity.PAGE),
    _burn_rate_rule("BudgetBurnsSlowly", 1, 3 * DAY_S, 6 * HOUR_S, Severity.TICKET),
)


def create_missing_rules() -> int:
    """Create the built-in rules that do not exist yet; return how many."""
    known = set(AlertRule.objects.values_list("name", flat=True))
    missing = [AlertRule(**fields) for fields in DEFAULT_RULES if fields["name"] not in known]
    AlertRule.objects.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def is_built_in(rule: AlertRule) -> bool:
    """Return whether a built-in rule has this name, so that it would be created again."""
    return any(fields["name"] == rule.name for fields in DEFAULT_RULES)
