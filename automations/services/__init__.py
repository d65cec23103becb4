"""Every write of this app."""

from automations.services.definitions import (
    change_automation,
    create_automation,
    delete_automation,
    pause_automation,
    resume_automation,
    rotate_hook_secret,
)
from automations.services.running import complete_run, fail_run, note_failure, note_success, skip_run
from automations.services.ticking import fire_due
from automations.services.triggering import Trigger, lock_account, start_run, start_run_if_allowed

__all__ = [
    "Trigger",
    "change_automation",
    "complete_run",
    "create_automation",
    "delete_automation",
    "fail_run",
    "fire_due",
    "lock_account",
    "note_failure",
    "note_success",
    "pause_automation",
    "resume_automation",
    "rotate_hook_secret",
    "skip_run",
    "start_run",
    "start_run_if_allowed",
]
