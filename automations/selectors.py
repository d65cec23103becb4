"""Reads that several callers want."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from automations.models import Automation, AutomationRun, TriggerType


def subscribed_automations(*, owner_id: UUID, event: str) -> list[Automation]:
    """Return the active automations of an account that listen to an event, in one order for everybody."""
    listening = Automation.objects.active().filter(owner_id=owner_id, trigger_type=TriggerType.EVENT)
    return sorted((row for row in listening if event in row.trigger["events"]), key=lambda row: row.pk)


def matches_filter(automation: Automation, data: Mapping[str, Any]) -> bool:
    """Return whether an event with this data passes the filter of an automation that listens."""
    wanted = automation.trigger.get("filter") or {}
    if any(wanted.get(name) not in (None, data.get(name)) for name in ("project", "template")):
        return False
    labels = data.get("metadata") or {}
    return all(name in labels and labels[name] == value for name, value in (wanted.get("metadata") or {}).items())


def find_run_of_render(render_id: UUID) -> AutomationRun | None:
    """Return the run that submitted a render, None for a render that somebody asked for himself."""
    return AutomationRun.objects.filter(render_id=render_id).first()


def chain_of(run: AutomationRun | None) -> tuple[str, ...]:
    """Return the automations that led to what a run made, that run's own the last."""
    return () if run is None else (*run.chain, run.automation_id.hex)
