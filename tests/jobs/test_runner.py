"""The runner: results and exceptions of handlers, and the recorded outcome."""

from __future__ import annotations

import time

import pytest
from django.db import OperationalError, transaction

from core.context import request_id
from core.exceptions import InvalidState
from jobs import services, sql
from jobs.context import JobContext
from jobs.exceptions import AttemptTimedOut, LeaseLost, PermanentFailure, RetryLater, ShuttingDown, TransientFailure
from jobs.models import Job
from jobs.worker.deadlines import SharedDeadlines
from jobs.worker.runner import run_job
from tests.factories import make_job
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


def run_one(handler, run, **options):
    handler(run, **options)
    row = services.enqueue(type="test.job", payload={"n": 1})
    assert run_pending(limit=1) == 1
    row.refresh_from_db()
    return row


def raising(error):
    def run(context):
        raise error

    return run


def test_stores_the_handlers_result(handler):
    row = run_one(handler, lambda context: {"seen": [context.job.payload["n"], context.job.attempt]})
    assert (row.status, row.result) == ("succeeded", {"seen": [1, 1]})


def test_an_exception_is_a_failure_with_a_traceback(handler, caplog):
    row = run_one(handler, raising(ZeroDivisionError("oh")))
    assert (row.status, row.failures, row.error["code"]) == ("scheduled", 1, "handler_error")
    assert row.error["message"] == "ZeroDivisionError: oh"
    assert "in run" in row.error["traceback"]
    (record,) = [record for record in caplog.records if record.getMessage() == "job failed"]
    assert record.job_id == row.public_id


def test_a_transient_failure_is_retried_and_logged_in_one_line(handler, caplog):
    row = run_one(handler, raising(TransientFailure("http_503", "The server answered with status 503.")))
    assert (row.status, row.failures) == ("scheduled", 1)
    assert row.error == {"code": "http_503", "message": "The server answered with status 503."}
    (record,) = [record for record in caplog.records if record.getMessage() == "job failed: http_503"]
    assert (record.levelname, record.exc_info) == ("WARNING", None)


def test_a_domain_errors_code_is_stored(handler):
    assert run_one(handler, raising(InvalidState("no"))).error["code"] == "invalid_state"


def test_a_permanent_failure_is_not_retried(handler):
    row = run_one(handler, raising(PermanentFailure("gone", "The source is gone.")))
    assert (row.status, row.error) == ("dead", {"code": "gone", "message": "The source is gone."})


def test_a_handler_may_postpone_its_job(handler):
    row = run_one(handler, raising(RetryLater(30)))
    assert (row.status, row.failures, row.error) == ("scheduled", 0, None)


def test_a_stopping_worker_releases_the_job_uncounted(handler):
    def run(context):
        context.stop_by(time.monotonic() - 1)
        context.check()

    row = run_one(handler, run)
    assert (row.status, row.failures, row.lost) == ("queued", 0, 0)
    assert row.history.get().outcome == "released"


def test_a_handler_may_finish_in_the_grace_period(handler):
    def run(context):
        context.stop_by(time.monotonic() + 60)
        context.check()

    assert run_one(handler, run).status == "succeeded"


def test_an_attempt_over_its_timeout_fails(handler):
    def run(context):
        context._started_at -= 11
        context.check()

    row = run_one(handler, run, timeout_s=10, max_attempts=1)
    assert (row.status, row.error["code"], row.history.get().outcome) == ("dead", "timeout", "timeout")


def test_a_job_of_an_unknown_type_is_retried():
    row = make_job(type="from.the.future")
    assert run_pending(limit=1) == 1
    row.refresh_from_db()
    assert row.status == "scheduled"
    assert "from.the.future" in row.error["message"]


def test_a_handler_that_lost_its_lease_changes_nothing(handler):
    def run(context):
        Job.objects.filter(pk=context.job.id).update(worker="another/0.1", attempts=2)
        context._checked_at -= 10
        with pytest.raises(LeaseLost):
            context.check()
        raise LeaseLost

    row = run_one(handler, run)
    assert (row.status, row.worker, row.attempts) == ("running", "another/0.1", 2)
    assert not row.history.exists()


def test_a_completed_job_is_finished_once(handler):
    def run(context):
        with transaction.atomic():
            make_job(reference="effect", queue="elsewhere")
            context.complete({"done": "inside"})
        return {"done": "outside"}

    row = run_one(handler, run)
    assert (row.status, row.result) == ("succeeded", {"done": "inside"})
    assert row.history.count() == 1
    assert Job.objects.filter(reference="effect").count() == 1


def test_a_rolled_back_completion_is_a_failure(handler):
    def run(context):
        try:
            with transaction.atomic():
                make_job(reference="effect", queue="elsewhere")
                context.complete()
                raise ZeroDivisionError
        except ZeroDivisionError:
            return

    row = run_one(handler, run)
    assert (row.status, row.error["code"]) == ("scheduled", "completion_undone")
    assert not Job.objects.filter(reference="effect").exists()


@pytest.mark.django_db(transaction=True)
def test_a_short_database_outage_does_not_lose_the_result(handler, monkeypatch):
    handler()
    row = services.enqueue(type="test.job")
    job = sql.claim(queue="default", worker="w", lease_s=30)
    errors = [OperationalError("gone"), OperationalError("gone")]
    finish = services.finish
    monkeypatch.setattr("jobs.worker.runner.connection.close", lambda: None)
    monkeypatch.setattr("jobs.worker.runner.time.sleep", lambda seconds: None)
    monkeypatch.setattr(services, "finish", lambda **values: _raise(errors.pop()) if errors else finish(**values))
    run_job(JobContext(job))
    row.refresh_from_db()
    assert (row.status, errors) == ("succeeded", [])


def _raise(error):
    raise error


def test_a_job_runs_with_the_id_of_its_request(handler):
    seen = []
    handler(lambda context: seen.append(request_id.get()))
    first = services.enqueue(type="test.job")
    Job.objects.filter(pk=services.enqueue(type="test.job").pk).update(request_id="req-of-the-client")
    run_pending()
    assert seen == [first.public_id, "req-of-the-client"]
    assert request_id.get() == "-"


def test_checks_interruptions_in_order_of_importance():
    job = sql.claim(queue="default", worker="w", lease_s=30) if make_job(timeout_s=1) else None
    context = JobContext(job, watched=True)
    context.check()
    context.stop_by(time.monotonic() - 1)
    with pytest.raises(ShuttingDown):
        context.check()
    context._started_at -= 2
    with pytest.raises(AttemptTimedOut):
        context.check()
    context.apply_heartbeat(None)
    with pytest.raises(LeaseLost):
        context.check()


def test_shared_deadlines_count_busy_slots():
    deadlines = SharedDeadlines(3)
    deadlines.write(1, 12.5)
    assert [deadlines.read(slot) for slot in range(3)] == [0.0, 12.5, 0.0]
    assert deadlines.count_busy() == 1
