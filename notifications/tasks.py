"""Job handlers of notifications."""

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
from notifications import job_types
from notifications.email import MailNotAccepted, send_message
from notifications.models.inbox import OutgoingEmailStatus
from notifications.services import attempts, broadcasts, deliveries, endpoints, outgoing_emails
from notifications.services.attempts import PreparedAttempt
from notifications.webhooks.sending import DeliveryResult, send

EMAIL_TIMEOUT_S = 120
# DNS lookup and HTTP exchange, with a margin for a busy machine.
DELIVERY_TIMEOUT_S = 45
EMAIL_RETRY_DELAYS_S = (60.0, 300.0, 1800.0, 7200.0)


def fail_dead_emails(dead: DeadJob) -> None:
    """Fail the pending emails of the user."""
    outgoing_emails.fail_pending_emails(user_id=UUID(dead.payload["user"]))


@handler(job_types.EMAIL_JOB, on_dead=fail_dead_emails, timeout_s=EMAIL_TIMEOUT_S, retry_delays_s=EMAIL_RETRY_DELAYS_S)
def send_pending_emails(context: JobContext) -> dict[str, Any]:
    """Send the pending emails of one user, in as few messages as MAX_PER_EMAIL allows."""
    user = User.objects.filter(pk=UUID(context.job.payload["user"])).first()
    sent = 0
    while user is not None and (batch := _send_batch(user)):
        sent += batch
        context.check()
    return {"sent": sent}


def _send_batch(user: User) -> int:
    claim_id, claimed = outgoing_emails.claim_emails(user_id=user.pk)
    if not claimed:
        return 0
    if not user.email or not user.is_active or user.is_suspended:
        outgoing_emails.finish_emails(claim_id=claim_id, status=OutgoingEmailStatus.FAILED)
        return 0
    try:
        send_message(user, claimed, reference=str(claim_id))
    except MailNotAccepted as error:
        outgoing_emails.release_emails(claim_id=claim_id)
        raise TransientFailure("mail_not_accepted", str(error)) from error
    except OSError as error:  # SMTPException is one
        # The connection broke while sending: the message may have been delivered.
        outgoing_emails.finish_emails(claim_id=claim_id, status=OutgoingEmailStatus.UNCONFIRMED)
        raise TransientFailure("mail_unconfirmed", type(error).__name__) from error
    return outgoing_emails.finish_emails(claim_id=claim_id, status=OutgoingEmailStatus.SENT)


@handler(job_types.BROADCAST_JOB, timeout_s=3600)
def broadcast(context: JobContext) -> None:
    """Send a broadcast to all of its recipients."""
    broadcast_id = UUID(context.job.payload["broadcast"])
    while broadcasts.deliver_batch(broadcast_id=broadcast_id):
        context.check()


def perform_delivery(attempt: PreparedAttempt | None) -> DeliveryResult | None:
    """Send the message; return None if there is nothing to send."""
    return None if attempt is None or attempt.message is None else send(attempt.message)


def record_delivery(context: JobContext, performed: tuple[PreparedAttempt | None, DeliveryResult | None]) -> None:
    """Record the result of the attempt; nothing for a deleted delivery."""
    attempt, result = performed
    if attempt is not None:
        attempts.record_result(context=context, attempt=attempt, result=result)


def fail_dead_delivery(dead: DeadJob) -> None:
    """Fail the delivery of a dead job."""
    attempts.fail_delivery(delivery_id=UUID(dead.payload["delivery"]), code=dead.error.code)


def cancel_delivery(job: JobSnapshot) -> None:
    """Fail the delivery of a cancelled job."""
    attempts.fail_delivery(delivery_id=UUID(job.payload["delivery"]), code="cancelled")


DELIVERY_STEPS = IoSteps(
    load=attempts.prepare_attempt,
    perform=lambda attempt: (attempt, perform_delivery(attempt)),
    record=record_delivery,
)
io_handler(
    job_types.DELIVER_JOB,
    DELIVERY_STEPS,
    on_dead=fail_dead_delivery,
    on_cancelled=cancel_delivery,
    queue=job_types.DELIVER_QUEUE,
    more_queues=(job_types.SLOW_QUEUE,),
    timeout_s=DELIVERY_TIMEOUT_S,
)


@handler(job_types.REPLAY_JOB)
def replay(context: JobContext) -> dict[str, Any]:
    """Send again what failed in a time, batch by batch."""
    endpoint_id = UUID(context.job.payload["endpoint"])
    since, until = (datetime.fromisoformat(context.job.payload[name]) for name in ("since", "until"))
    return {
        "replayed": _in_batches(
            context, lambda: deliveries.replay_batch(endpoint_id=endpoint_id, since=since, until=until)
        )
    }


@handler(job_types.HOUSEKEEPING_JOB, max_attempts=1, timeout_s=300, cron="*/5 * * * *")
def run_housekeeping(context: JobContext) -> dict[str, Any]:
    """Purge deleted endpoints and expired secrets, close stale claims and schedule overdue emails."""
    deleted = _in_batches(context, deliveries.purge_deleted_endpoints)
    endpoints.clear_expired_secrets()
    unconfirmed = outgoing_emails.close_stale_claims(silent_for=timedelta(seconds=2 * EMAIL_TIMEOUT_S))
    return {"deleted": deleted, "unconfirmed": unconfirmed, "overdue": outgoing_emails.schedule_overdue()}


def _in_batches(context: JobContext, purge: Callable[[], int]) -> int:
    deleted = 0
    while batch := purge():
        deleted += batch
        context.check()
    return deleted
