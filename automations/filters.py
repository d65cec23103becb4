"""Filters of automations and their runs."""

from __future__ import annotations

from api.filters import ApiFilterSet, BooleanFilter, ChoicesFilter
from automations.models import (
    Automation,
    AutomationQuerySet,
    AutomationRun,
    action_choices,
    automation_run_status_choices,
    trigger_choices,
)
from renders.filters import PublicIdFilter


class AutomationFilterSet(ApiFilterSet):
    """Filters of `GET /automations`."""

    project = PublicIdFilter("prj")
    active = BooleanFilter(method="filter_active")
    trigger = ChoicesFilter(field_name="trigger_type", choices=trigger_choices)
    action = ChoicesFilter(field_name="action_type", choices=action_choices)

    class Meta:
        model = Automation
        fields: tuple[str, ...] = ()

    def filter_active(self, rows: AutomationQuerySet, name: str, value: bool) -> AutomationQuerySet:
        """Return the active automations, or the paused ones."""
        return rows.active(value)


class AutomationRunFilterSet(ApiFilterSet):
    """Filters of `GET /automations/{id}/runs`."""

    status = ChoicesFilter(choices=automation_run_status_choices)
    trigger = ChoicesFilter(field_name="trigger_type", choices=trigger_choices)

    class Meta:
        model = AutomationRun
        fields: tuple[str, ...] = ()
