"""Retention policy of automation runs."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from automations.models import AutomationRun, AutomationRunStatus
from core.retention import Retention, retentions


def _old_runs(moment: datetime) -> QuerySet[AutomationRun]:
    old = AutomationRun.objects.filter(created_at__lt=moment)
    return old.exclude(status=AutomationRunStatus.QUEUED).order_by("created_at")


RETENTION = retentions.register(
    Retention("automation runs", lambda: timedelta(days=settings.RENDEROWL_AUTOMATION_RUNS_RETENTION_DAYS), _old_runs)
)
