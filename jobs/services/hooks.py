"""Hooks of job handlers, called in the transaction that changes the job's status."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, transaction

from jobs.registry import handlers
from jobs.snapshot import DeadJob, JobError, JobSnapshot

logger = logging.getLogger(__name__)
Subject = TypeVar("Subject")


def call_on_dead(job: JobSnapshot, error: JobError) -> None:
    """Call `on_dead` of the job's handler, if it has one."""
    handler = handlers.get(job.type)
    if handler is not None and handler.on_dead is not None:
        _call(handler.on_dead, DeadJob(job=job, error=error), job)


def call_on_cancelled(job: JobSnapshot) -> None:
    """Call `on_cancelled` of the job's handler, if it has one."""
    handler = handlers.get(job.type)
    if handler is not None and handler.on_cancelled is not None:
        _call(handler.on_cancelled, job, job)


def _call(hook: Callable[[Subject], None], subject: Subject, job: JobSnapshot) -> None:
    """Call a hook in a savepoint.

    A database error propagates, and the status change is retried. Any other error is only logged, or the job would
    never end.
    """
    try:
        with transaction.atomic():
            hook(subject)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("hook of a job failed", extra={"job_id": job.public_id, "job_type": job.type})
