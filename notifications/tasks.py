"""The jobs of this app."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.models import User
from jobs.context import JobContext
from jobs.exceptions import TransientFailure
from jobs.registry import IoSteps, handler, io_handler
from jobs.snapshot import DeadJob, JobSnapshot
from notifications import names
from notifications.letters import MailNotAccepted, post
from notifications.models.inbox import LetterStatus
from notifications.services import attempts, broadcasts, deliveries, endpoints, letters
from notifications.services.attempts import Task
from notifications.webhooks.sending import Reply, send

EMAIL_LIMIT_S = 120
# Looking the name up, the exchange, and what the machine adds when it is busy.
DELIVERY_LIMIT_S = 45
EMAIL_RETRY_S = (60.0, 300.0, 1800.0, 7200.0)


def give_up_email(dead: DeadJob) -> None:
    """Fail what could not be sent to one user."""
    letters.give_up_letters(user_id=UUID(dead.payload["user"]))


@handler(names.EMAIL_JOB, on_dead=give_up_email, timeout_s=EMAIL_LIMIT_S, retry_delays_s=EMAIL_RETRY_S)
def send_email(context: JobContext) -> dict[str, Any]:
    """Send what is due to one user: one e-mail, or a few where there is very much to tell."""
    user = User.objects.filter(pk=UUID(context.job.payload["user"])).first()
    sent = 0
    while user is not None and (batch := _send_some(user)):
        sent += batch
        context.check()
    return {"sent": sent}


def _send_some(user: User) -> int:
    taker, taken = letters.take_letters(user_id=user.pk)
    if not taken:
        return 0
    if not user.email or not user.is_active or user.is_suspended:
        letters.end_letters(taker=taker, status=LetterStatus.FAILED)
        return 0
    try:
        post(user, taken, reference=str(taker))
    except MailNotAccepted as error:
        letters.give_back_letters(taker=taker)
        raise TransientFailure("mail_not_accepted", str(error)) from error
    except OSError as error:  # SMTPException is one
        # The connection broke while the letter was on its way: perhaps it was delivered.
        letters.end_letters(taker=taker, status=LetterStatus.DOUBTFUL)
        raise TransientFailure("mail_doubtful", type(error).__name__) from error
    return letters.end_letters(taker=taker, status=LetterStatus.SENT)


@handler(names.BROADCAST_JOB, timeout_s=3600)
def broadcast(context: JobContext) -> None:
    """Give a broadcast to all of its users."""
    broadcast_id = UUID(context.job.payload["broadcast"])
    while broadcasts.deliver_batch(broadcast_id=broadcast_id):
        context.check()


def perform_delivery(task: Task | None) -> Reply | None:
    """Make the attempt; nothing where nothing is to be sent any more."""
    return None if task is None or task.message is None else send(task.message)


def settle_delivery(context: JobContext, made: tuple[Task | None, Reply | None]) -> None:
    """Write what came of it."""
    task, reply = made
    if task is not None:
        attempts.record_reply(context=context, task=task, reply=reply)


def give_up_delivery(dead: DeadJob) -> None:
    """Fail a delivery whose job is beyond help."""
    attempts.fail_dead(delivery_id=UUID(dead.payload["delivery"]), code=dead.error.code)


def cancel_delivery(job: JobSnapshot) -> None:
    """Fail a delivery whose job staff cancelled."""
    attempts.fail_dead(delivery_id=UUID(job.payload["delivery"]), code="cancelled")


DELIVERY = IoSteps(
    load=attempts.prepare_attempt,
    perform=lambda task: (task, perform_delivery(task)),
    settle=settle_delivery,
)
io_handler(
    names.DELIVER_JOB,
    DELIVERY,
    on_dead=give_up_delivery,
    on_cancelled=cancel_delivery,
    queue=names.DELIVER_QUEUE,
    more_queues=(names.SLOW_QUEUE,),
    timeout_s=DELIVERY_LIMIT_S,
)


@handler(names.REPLAY_JOB)
def replay(context: JobContext) -> dict[str, Any]:
    """Send again what failed in a time, batch by batch."""
    endpoint_id = UUID(context.job.payload["endpoint"])
    since, until = (datetime.fromisoformat(context.job.payload[name]) for name in ("since", "until"))
    return {
        "replayed": _in_batches(
            context, lambda: deliveries.replay_batch(endpoint_id=endpoint_id, since=since, until=until)
        )
    }


@handler(names.UPKEEP_JOB, max_attempts=1, timeout_s=300, cron="*/5 * * * *")
def keep_up(context: JobContext) -> dict[str, Any]:
    """Throw away what deleted endpoints left, wipe old secrets, and look after letters that were left lying."""
    deleted = _in_batches(context, deliveries.purge_deleted_endpoints)
    endpoints.forget_old_secrets()
    doubtful = letters.close_doubtful(silent_for=timedelta(seconds=2 * EMAIL_LIMIT_S))
    return {"deleted": deleted, "doubtful": doubtful, "overdue": letters.call_postmen_for_overdue()}


def _in_batches(context: JobContext, purge: Callable[[], int]) -> int:
    deleted = 0
    while batch := purge():
        deleted += batch
        context.check()
    return deleted
