"""What the health checks said last, in rows: they may hang for a second, for which no evaluator can wait."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitoring.alerting.models import HealthSample

# Three samples; a worker whose slots are all busy takes none, which says nothing of the checks.
VALID_FOR = timedelta(minutes=3)


def levels(now: datetime) -> dict[str, int | None]:
    """Return what each check said; None where that is too long ago."""
    rows = HealthSample.objects.order_by("check_name").values_list("check_name", "level", "at")
    return {name: level if now - at <= VALID_FOR else None for name, level, at in rows}
