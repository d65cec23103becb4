"""Response statistics and ratings of a load test. Must not import Django: the child process imports it too."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_PERCENTILES = (0.50, 0.95, 0.99)
_MAX_REASONS = 20
NOT_MODIFIED = 304
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Grade:
    """A rating and its upper limits."""

    name: str
    p95_ms: float
    error_share: float


# docs/operations.md has the same table.
GRADES = (Grade("excellent", 50, 0.0), Grade("good", 200, 0.01), Grade("fair", 500, 0.05))
HEALTH_GRADES = (Grade("excellent", 10, 0.0), Grade("good", 50, 0.0), Grade("fair", 250, 0.01))
WORST = "poor"


def rate(*, p95_ms: float | None, error_share: float, grades: tuple[Grade, ...] = GRADES) -> str:
    """Return the best rating whose limits hold; the worst if there was no response (p95_ms is None)."""
    if p95_ms is not None:
        for grade in grades:
            if p95_ms <= grade.p95_ms and error_share <= grade.error_share:
                return grade.name
    return WORST


@dataclass(slots=True)
class ResponseStats:
    """Counts and response times of one path. times_us: of all responses, including errors."""

    answered: int = 0
    unanswered: int = 0
    errors: int = 0
    bytes_received: int = 0
    times_us: array[int] = field(default_factory=lambda: array("Q"))
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def record_response(self, *, status: int, took_s: float, size: int) -> None:
        """Count a response. Only 2xx and 304 are successes; other redirects are errors."""
        took_us = round(took_s * 1_000_000)
        self.answered += 1
        self.times_us.append(took_us)
        self.bytes_received += size
        self.statuses[status] += 1
        if not (200 <= status < 300 or status == NOT_MODIFIED):
            self.errors += 1
            self.reasons[f"status {status}"] += 1

    def record_failure(self, reason: str) -> None:
        """Count a request without a response."""
        self.unanswered += 1
        self.errors += 1
        # Bounded: the text of an error may contain a varying value, such as a port.
        known = reason in self.reasons or len(self.reasons) < _MAX_REASONS
        self.reasons[reason if known else "other"] += 1

    def add(self, other: ResponseStats) -> None:
        """Add the counts of another instance."""
        self.answered += other.answered
        self.unanswered += other.unanswered
        self.errors += other.errors
        self.bytes_received += other.bytes_received
        self.times_us.extend(other.times_us)
        self.statuses += other.statuses
        self.reasons += other.reasons

    @property
    def requests(self) -> int:
        """Return the number of requests, with or without a response."""
        return self.answered + self.unanswered

    @property
    def error_share(self) -> float:
        """Return the share of failed requests; 1.0 without requests."""
        return self.errors / self.requests if self.requests else 1.0

    def summary(self, elapsed_s: float) -> dict[str, Any]:
        """Return the JSON members of a report; percentiles use the nearest rank."""
        times_us = sorted(self.times_us)
        ranks = (max(1, math.ceil(percentile * len(times_us))) for percentile in _PERCENTILES)
        p50, p95, p99 = (round(times_us[rank - 1] / 1000, 3) if times_us else None for rank in ranks)
        return {
            "requests": self.requests,
            "errors": self.errors,
            "error_share": round(self.error_share, 6),
            "rps": round(self.requests / elapsed_s, 2) if elapsed_s else 0.0,
            "p50_ms": p50,
            "p95_ms": p95,
            "p99_ms": p99,
            "mean_ms": round(sum(times_us) / self.answered / 1000, 3) if self.answered else None,
            "max_ms": round(times_us[-1] / 1000, 3) if self.answered else None,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "failures": [{"reason": reason, "count": count} for reason, count in self.reasons.most_common()],
            "bytes_received": self.bytes_received,
        }
