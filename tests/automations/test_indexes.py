"""Each index is used by its query, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from automations.models import Automation, AutomationRun
from tests.factories import make_project, make_render, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def many_rows():
    now = timezone.now()
    users = [make_user() for _ in range(20)]
    project, render = make_project(users[0]), make_render(users[0])
    rows = [
        Automation(
            owner=users[number % 20],
            project=project if number % 100 == 0 else None,
            name="x",
            is_active=number // 10 % 5 == 0,
            trigger={"type": "cron"},
            trigger_type=("cron", "event", "webhook", "manual")[number // 50 % 4],
            action={"type": "notify"},
            action_type="notify",
            next_run_at=now + timedelta(seconds=number) if number % 40 == 0 else None,
            created_at=now - timedelta(seconds=number),
        )
        for number in range(2000)
    ]
    Automation.objects.bulk_create(rows, batch_size=500)
    runs = [
        AutomationRun(
            automation=rows[number % 20],
            owner=rows[number % 20].owner,
            trigger_type="manual",
            trigger_key=f"manual:{number}",
            render=render if number % 500 == 0 else None,
            created_at=now - timedelta(seconds=2 * number),
        )
        for number in range(3000)
    ]
    AutomationRun.objects.bulk_create(runs, batch_size=500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE automations_automation")
        cursor.execute("ANALYZE automations_automationrun")
        if connection.vendor == "postgresql":
            # A table of 80 pages, in the order of time, is cheaper to scan than a table of realistic size.
            cursor.execute("SET LOCAL random_page_cost = 1")
            for node in ("sort", "incremental_sort", "seqscan", "bitmapscan"):
                cursor.execute(f"SET LOCAL enable_{node} = off")
    return users[0], project, render, rows[0], now


def test_each_index_serves_its_query(many_rows) -> None:
    user, project, render, automation, now = many_rows
    mine, newest, hour = Automation.objects.for_owner(user), ("-created_at", "-pk"), now - timedelta(hours=1)
    runs = AutomationRun.objects.order_by()
    plans = {
        "idx_automations_user_active": mine.active().filter(trigger_type="event"),
        "idx_automations_user_created": mine.order_by(*newest)[:26],
        "idx_automations_project": Automation.objects.filter(project=project).order_by(*newest)[:26],
        "idx_automations_due": Automation.objects.due(now).order_by("next_run_at")[:500],
        "idx_automations_created": Automation.objects.order_by("-created_at")[:50],
        "idx_automation_runs_trigger": runs.filter(automation=automation, trigger_key="manual:40"),
        "idx_automation_runs_created": runs.filter(automation=automation).order_by(*newest)[:26],
        "idx_automation_runs_owner": runs.filter(owner=user, created_at__gt=hour).exclude(status="skipped"),
        "idx_automation_runs_render": runs.filter(render=render),
        "idx_automation_runs_old": runs.filter(created_at__lt=hour).order_by("created_at")[:500],
    }
    for name, query in plans.items():
        plan = query.explain()
        assert name in plan, f"{name} is not used:\n{plan}"
