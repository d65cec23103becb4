"""Shared queries of automations and their runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from automations.models import Automation, AutomationRun, TriggerType


def subscribed_automations(*, owner_id: UUID, event: str) -> list[Automation]:
    """Return the active automations of an account for an event, always in the same order, to avoid deadlocks."""
    rows = Automation.objects.active().filter(owner_id=owner_id, trigger_type=TriggerType.EVENT)
    return sorted((row for row in rows if event in row.trigger["events"]), key=lambda row: row.pk)


def matches_filter(automation: Automation, data: Mapping[str, Any]) -> bool:
    """Return whether an event with this data passes the filter of an event trigger."""
    filters = automation.trigger.get("filter") or {}
    if any(filters.get(name) not in (None, data.get(name)) for name in ("project", "template")):
        return False
    labels = data.get("metadata") or {}
    return all(name in labels and labels[name] == value for name, value in (filters.get("metadata") or {}).items())


def find_run_of_render(render_id: UUID) -> AutomationRun | None:
    """Return the run that submitted a render; None for a render that no automation submitted."""
    return AutomationRun.objects.filter(render_id=render_id).first()


def chain_of(run: AutomationRun | None) -> tuple[str, ...]:
    """Return the ids of the automations that led to a run, including its own as the last."""
    return () if run is None else (*run.chain, run.automation_id.hex)
