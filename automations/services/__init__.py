"""Services of automations: all writes of the app."""

from automations.services.definitions import (
    change_automation,
    create_automation,
    delete_automation,
    pause_automation,
    resume_automation,
    rotate_webhook_secret,
)
from automations.services.running import complete_run, fail_run, record_failure, record_success, skip_run
from automations.services.scheduling import start_due_runs
from automations.services.triggering import AutomationTrigger, lock_account, start_run, start_run_if_allowed

__all__ = [
    "AutomationTrigger",
    "change_automation",
    "complete_run",
    "create_automation",
    "delete_automation",
    "fail_run",
    "lock_account",
    "pause_automation",
    "record_failure",
    "record_success",
    "resume_automation",
    "rotate_webhook_secret",
    "skip_run",
    "start_due_runs",
    "start_run",
    "start_run_if_allowed",
]
