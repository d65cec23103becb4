"""Every write to the queue, for other apps and for the worker."""

from jobs.services.control import (
    cancel_job,
    change_limit,
    pause_queue,
    request_cancel,
    resume_queue,
    retry_job,
    set_queue_limit,
    show_queues,
)
from jobs.services.ending import (
    cancel_attempt,
    fail_attempt,
    fail_overrun,
    finish,
    hand_back,
    hand_back_held,
    lose_held,
    postpone,
    reap_expired,
)
from jobs.services.enqueueing import NewJob, enqueue, enqueue_many
from jobs.services.schedules import fire_due_schedules, run_schedule_now, set_schedule_enabled, sync_schedules
from jobs.services.upkeep import (
    admit_blocked,
    forget_workers,
    promote_due,
    purge_finished,
    record_heartbeat,
    record_worker_started,
    record_worker_stopped,
)

__all__ = [
    "NewJob",
    "admit_blocked",
    "cancel_attempt",
    "cancel_job",
    "change_limit",
    "enqueue",
    "enqueue_many",
    "fail_attempt",
    "fail_overrun",
    "finish",
    "fire_due_schedules",
    "forget_workers",
    "hand_back",
    "hand_back_held",
    "lose_held",
    "pause_queue",
    "postpone",
    "promote_due",
    "purge_finished",
    "reap_expired",
    "record_heartbeat",
    "record_worker_started",
    "record_worker_stopped",
    "request_cancel",
    "resume_queue",
    "retry_job",
    "run_schedule_now",
    "set_queue_limit",
    "set_schedule_enabled",
    "show_queues",
    "sync_schedules",
]
