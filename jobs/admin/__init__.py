"""Admin of the job queue."""

from jobs.admin.attempts import JobAttemptAdmin
from jobs.admin.jobs import JobAdmin
from jobs.admin.queues import KeyLimitAdmin, QueueStateAdmin
from jobs.admin.schedules import ScheduleAdmin
from jobs.admin.workers import WorkerAdmin

__all__ = ["JobAdmin", "JobAttemptAdmin", "KeyLimitAdmin", "QueueStateAdmin", "ScheduleAdmin", "WorkerAdmin"]
