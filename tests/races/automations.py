"""Automations: concurrent triggers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.races.threads import at_once


def fire_one_trigger() -> dict[str, Any]:
    """Trigger an automation 20 times with one id, then run its job."""
    from automations.models import AutomationRun
    from automations.services import AutomationTrigger, start_run
    from jobs.models import Job
    from renders.models import Render
    from tests.factories import make_automation, make_template, make_user
    from tests.jobs.inline import run_pending

    user = make_user()
    row = make_automation(user, action={"type": "render", "template": make_template(user).public_id})

    def work(index: int) -> str:
        trigger = AutomationTrigger("manual", "order-1881", "manual", {"order": 1881})
        return "new" if start_run(automation_id=row.pk, trigger=trigger)[1] else "known"

    outcomes = Counter(at_once(work, 20))
    run_pending(queues=["default"])
    return {
        "new": outcomes.pop("new"),
        "others": dict(outcomes),
        "runs": AutomationRun.objects.filter(automation=row).count(),
        "jobs": Job.objects.filter(user=user, type="automations.run").count(),
        "renders": Render.objects.filter(owner=user).count(),
    }


def tick_with_four_workers() -> dict[str, Any]:
    """Run the scheduler twice in each of 4 workers, with 25 due automations."""
    from django.utils import timezone

    from automations import services
    from automations.models import Automation, AutomationRun
    from jobs.models import Job
    from tests.factories import make_automation, make_user

    user, now = make_user(), timezone.now()
    trigger = {"type": "cron", "cron": "0 0 1 * *", "timezone": "UTC"}
    mine = Automation.objects.filter(pk__in=[make_automation(user, trigger=trigger).pk for _ in range(25)])
    mine.update(next_run_at=now)

    def work(index: int) -> int:
        return services.start_due_runs(now=now) + services.start_due_runs(now=now)

    started = sum(int(outcome) for outcome in at_once(work, 4))
    runs = AutomationRun.objects.filter(automation__in=mine)
    return {
        "started": started,
        "runs": runs.count(),
        "jobs": Job.objects.filter(user=user, type="automations.run").count(),
        "per_automation": sorted(set(Counter(runs.values_list("automation_id", flat=True)).values())),
        "still_due": mine.filter(next_run_at__lte=now).count(),
    }


def trigger_up_to_a_limit() -> dict[str, Any]:
    """Trigger an automation 20 times that may run 7 times an hour."""
    from automations.models import AutomationRun
    from automations.services import AutomationTrigger, start_run
    from tests.factories import make_automation

    row = make_automation(runs_per_hour=7)

    def work(index: int) -> str:
        start_run(automation_id=row.pk, trigger=AutomationTrigger("manual", str(index), "manual", {}))
        return "started"

    outcomes = dict(Counter(at_once(work, 20)))
    return {"outcomes": outcomes, "runs": AutomationRun.objects.filter(automation=row).count()}


def trigger_up_to_the_limit_of_an_account() -> dict[str, Any]:
    """Trigger 10 automations 20 times on an account that may run 7 per hour."""
    from django.test import override_settings

    from automations.models import AutomationRun
    from automations.services import AutomationTrigger, start_run
    from tests.factories import make_automation, make_user

    user = make_user()
    rows = [make_automation(user) for _ in range(10)]

    def work(index: int) -> str:
        start_run(automation_id=rows[index % 10].pk, trigger=AutomationTrigger("manual", str(index), "manual", {}))
        return "started"

    with override_settings(RENDEROWL_AUTOMATION_RUNS_PER_HOUR=7):
        outcomes = dict(Counter(at_once(work, 20)))
    return {"outcomes": outcomes, "runs": AutomationRun.objects.filter(owner=user).count()}


def events_beside_occurrences() -> dict[str, Any]:
    """Run schedules, events and manual triggers of one account concurrently, which lock the same rows."""
    from django.db import transaction
    from django.utils import timezone

    from automations import services
    from automations.models import Automation, AutomationRun
    from automations.services import AutomationTrigger, lock_account, record_success, start_run, start_run_if_allowed
    from tests.factories import make_automation, make_user

    user, now = make_user(), timezone.now()
    cron = {"type": "cron", "cron": "0 0 1 * *", "timezone": "UTC"}
    rows = [make_automation(user, trigger=cron, failures=1) for _ in range(8)]
    Automation.objects.filter(owner=user).update(next_run_at=now)

    def work(index: int) -> int:
        if index % 3 == 0:
            return services.start_due_runs(now=now)
        if index % 3 == 1:
            start_run(automation_id=rows[index % 8].pk, trigger=AutomationTrigger("manual", str(index), "manual", {}))
            return 1
        with transaction.atomic():
            # As when a render created by one automation finishes and triggers the others.
            lock_account(user.pk)
            record_success(automation_id=rows[index % 8].pk)
            started = [
                start_run_if_allowed(automation_id=row.pk, trigger=AutomationTrigger("event", str(index), "event", {}))
                for row in rows
            ]
        return sum(run is not None for run in started)

    started = sum(int(outcome) for outcome in at_once(work, 12))
    return {"started": started, "runs": AutomationRun.objects.filter(owner=user).count()}
