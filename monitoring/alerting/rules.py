"""The rules of the program. They are made once; what staff make of them stays."""

from __future__ import annotations

from typing import Any

from monitoring.alerting.models import AlertRule
from monitoring.alerting.states import Severity

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
ENOUGH_REQUESTS = 20


def _burn(name: str, times: float, long_s: int, short_s: int, severity: Severity) -> dict[str, Any]:
    return {
        "name": name,
        "summary": f"Answers fail {times:g} times faster than an objective of 99.9 % allows",
        "measure": "burn_rate",
        "parameters": {"long_s": long_s, "short_s": short_s},
        "fire_above": times,
        "clear_below": times,
        "keep_firing_s": 2 * MINUTE_S,
        "severity": severity,
        "minimum_samples": ENOUGH_REQUESTS,
    }


# Where things are counted the thresholds lie between the numbers: one is too many, none is well.
DEFAULT_RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "Watchdog",
        "summary": "Always fires: where its message stays away, alerting itself is broken",
        "measure": "always",
        "fire_above": 0.5,
        "clear_below": 0.5,
        "severity": Severity.NONE,
        "reminder_s": 5 * MINUTE_S,
    },
    {
        "name": "ErrorRateIsHigh",
        "summary": "More than a tenth of all requests fail",
        "measure": "error_ratio",
        "parameters": {"window_s": 5 * MINUTE_S},
        "fire_above": 0.10,
        "clear_below": 0.07,
        "hold_s": 2 * MINUTE_S,
        "keep_firing_s": 2 * MINUTE_S,
        "severity": Severity.PAGE,
        "minimum_samples": ENOUGH_REQUESTS,
    },
    {
        "name": "AnswersAreSlow",
        "summary": "One request in twenty takes longer than a second",
        "measure": "p95_ms",
        "parameters": {"window_s": 5 * MINUTE_S},
        "fire_above": 1000,
        "clear_below": 800,
        "hold_s": 5 * MINUTE_S,
        "keep_firing_s": 5 * MINUTE_S,
        "minimum_samples": ENOUGH_REQUESTS,
    },
    {
        "name": "QueueIsLate",
        "summary": "The oldest ready job has waited for more than five minutes",
        "measure": "queue_oldest_s",
        "fire_above": 5 * MINUTE_S,
        "clear_below": 2 * MINUTE_S,
        "worse_above": 30 * MINUTE_S,
        "hold_s": 2 * MINUTE_S,
        "keep_firing_s": 2 * MINUTE_S,
        "tells_no_data": True,
    },
    {
        "name": "JobsDied",
        "summary": "Jobs have become dead letters in the last hour",
        "measure": "dead_letters",
        "parameters": {"window_s": HOUR_S},
        "fire_above": 0.5,
        "clear_below": 0.5,
    },
    {
        "name": "WorkerIsSilent",
        "summary": "A worker stopped without a good-bye",
        "measure": "dead_workers",
        "parameters": {"window_s": 15 * MINUTE_S},
        "fire_above": 0.5,
        "clear_below": 0.5,
        "hold_s": 30,
    },
    {
        "name": "CheckFails",
        "summary": "A health check does not pass",
        "measure": "health_level",
        "fire_above": 0.5,
        "clear_below": 0.5,
        "worse_above": 1.5,
        "hold_s": 90,
        "keep_firing_s": MINUTE_S,
    },
    {
        "name": "DiskIsFilling",
        "summary": "More than nine tenths of the disk are used",
        "measure": "disk_used_ratio",
        "fire_above": 0.90,
        "clear_below": 0.87,
        "worse_above": 0.97,
        "hold_s": 5 * MINUTE_S,
        "keep_firing_s": 5 * MINUTE_S,
        "tells_no_data": True,
    },
    _burn("BudgetBurnsFast", 14.4, HOUR_S, 5 * MINUTE_S, Severity.PAGE),
    _burn("BudgetBurns", 6, 6 * HOUR_S, 30 * MINUTE_S, Severity.PAGE),
    _burn("BudgetBurnsSlowly", 1, 3 * DAY_S, 6 * HOUR_S, Severity.TICKET),
)


def create_missing_rules() -> int:
    """Make the rules of this version of the program that are not there yet; return how many."""
    known = set(AlertRule.objects.values_list("name", flat=True))
    missing = [AlertRule(**terms) for terms in DEFAULT_RULES if terms["name"] not in known]
    AlertRule.objects.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def is_built_in(rule: AlertRule) -> bool:
    """Say whether the program would make the rule again."""
    return any(terms["name"] == rule.name for terms in DEFAULT_RULES)
