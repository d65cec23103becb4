"""Integrity checks of the database file, of its rows, and of rows against stored files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, QuerySet
from django.db.utils import DatabaseError
from django.utils import timezone

from assets.models import AssetHold
from credits.models import CreditEntry, CreditEntryKind
from credits.selectors import check_ledger
from jobs.models import Job
from jobs.states import ACTIVE as ACTIVE_JOBS
from jobs.states import FINISHED, JobStatus
from maintenance.files import missing_files, orphan_files
from maintenance.migration_records import FAULTS, migration_statuses
from renders.models import Batch, Render
from renders.states import ACTIVE, TERMINAL, RenderStatus

MAX_FAULTS = 50
_BATCH_SIZE = 500
_INVALID_IN_POSTGRESQL = """
    SELECT 'index ' || indexrelid::regclass || ' is not valid' FROM pg_index WHERE NOT indisvalid
    UNION ALL
    SELECT 'constraint ' || conname || ' of ' || conrelid::regclass || ' is not validated'
    FROM pg_constraint WHERE NOT convalidated
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. faults: at most MAX_FAULTS sentences; harmless: faults are listed but are not damage."""

    check: str
    faults: tuple[str, ...]
    harmless: bool = False

    @property
    def ok(self) -> bool:
        """Return whether the check found no damage."""
        return self.harmless or not self.faults


IntegrityCheck = Callable[[], Iterable[str]]


def check_integrity(
    *, files: bool = True, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Finding]:
    """Run the checks one by one, yielding each result. files: also compare rows with the storage."""
    checks: list[tuple[str, IntegrityCheck]] = [
        *_CHECKS_BY_VENDOR.get(connection.vendor, []),
        ("migrations", _changed_migrations),
        ("ledger", _ledger),
        ("jobs", _jobs),
        ("renders without a job", _renders_without_job),
        ("unreleased holds and reservations", _unreleased),
        ("batch counts", _batch_counts),
    ]
    if files:
        checks.append(("missing files", missing_files))
    for number, (name, check) in enumerate(checks):
        progress(number, len(checks))
        yield Finding(name, _faults(check))
    if files:
        yield Finding("files without a row", _faults(_orphans), harmless=True)
    progress(len(checks), len(checks))


def _faults(check: IntegrityCheck) -> tuple[str, ...]:
    try:
        return tuple(islice(check(), MAX_FAULTS))
    except (DatabaseError, ValueError) as error:
        # A damaged file fails in the middle of any query, or returns invalid ids, times or JSON.
        return (f"the database cannot be read: {error}",)


def _orphans() -> Iterator[str]:
    for file in orphan_files(timezone.now()):
        yield f"{file.key}: {file.size_bytes} bytes"


def _sqlite_file() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA integrity_check({MAX_FAULTS})")
        for (line,) in cursor.fetchall():
            if line != "ok":
                yield line


def _sqlite_foreign_keys() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_key_check")
        for table, row, parent, _ in cursor.fetchmany(MAX_FAULTS):
            yield f"row {row} of {table} refers to a missing row of {parent}"


def _postgresql_catalog() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_INVALID_IN_POSTGRESQL)
        for (line,) in cursor.fetchall():
            yield line


_CHECKS_BY_VENDOR: dict[str, list[tuple[str, IntegrityCheck]]] = {
    "sqlite": [("file", _sqlite_file), ("foreign keys", _sqlite_foreign_keys)],
    "postgresql": [("indexes and constraints", _postgresql_catalog)],
}


def _changed_migrations() -> Iterator[str]:
    for status in migration_statuses(connection):
        if status.state in FAULTS:
            yield f"{status} is {status.state}"


def _ledger() -> Iterator[str]:
    for fault in check_ledger():
        yield f"user {fault.user_id}: the balance is {fault.balance}, the entries sum to {fault.sum_of_entries}"


def _jobs() -> Iterator[str]:
    running = Job.objects.filter(status=JobStatus.RUNNING).filter(Q(lease_expires_at=None) | Q(worker=""))
    for pk in running.values_list("pk", flat=True)[:MAX_FAULTS]:
        yield f"job {pk} runs without a worker or a lease"
    finished = Job.objects.filter(status__in=FINISHED, finished_at=None)
    for pk in finished.values_list("pk", flat=True)[:MAX_FAULTS]:
        yield f"job {pk} has finished without a time"


def _renders_without_job() -> Iterator[str]:
    # One statement: a render that ends between two would look like damage.
    active_jobs = Job.objects.filter(status__in=ACTIVE_JOBS).values("pk")
    for pk, status in (
        Render.objects.filter(status__in=ACTIVE)
        .exclude(job_id__in=active_jobs)
        .order_by()
        .values_list("pk", "status")[:MAX_FAULTS]
    ):
        yield f"render {pk} is {status}, and no job works on it"


def _unreleased() -> Iterator[str]:
    holds = AssetHold.objects.filter(reference__startswith="render:").order_by("pk")
    for reference in _references_of_ended_renders(holds):
        yield f"{reference} has ended and still holds assets"
    reserved = CreditEntry.objects.filter(kind=CreditEntryKind.RESERVE, closing=None, reference__startswith="render:")
    for reference in _references_of_ended_renders(reserved.order_by("pk")):
        yield f"{reference} has ended and still reserves credits"


def _references_of_ended_renders(rows: QuerySet[AssetHold] | QuerySet[CreditEntry]) -> Iterator[str]:
    """Yield the references whose render has ended and whose row still exists after the render was read."""
    references = iter(rows.values_list("pk", "reference").iterator())
    while batch := dict(islice(references, _BATCH_SIZE)):
        ids = {pk for reference in batch.values() if (pk := _render_id(reference)) is not None}
        ended = set(Render.objects.filter(pk__in=ids, status__in=TERMINAL).values_list("pk", flat=True))
        if ended:
            # Rows released meanwhile, by the transaction that ended the render, are fine.
            unreleased = rows.filter(pk__in=batch).order_by().values_list("reference", flat=True)
            yield from sorted({reference for reference in unreleased if _render_id(reference) in ended})


def _render_id(reference: str) -> UUID | None:
    try:
        return UUID(reference.split(":")[1])
    except ValueError:
        return None


def _batch_counts() -> Iterator[str]:
    def counted(*states: str) -> Count:
        return Count("renders", filter=Q(renders__status__in=states))

    found = Batch.objects.order_by().annotate(
        pending_now=counted(*ACTIVE),
        succeeded_now=counted(RenderStatus.SUCCEEDED),
        failed_now=counted(RenderStatus.FAILED),
        cancelled_now=counted(RenderStatus.CANCELLED),
    )
    wrong = found.exclude(
        **{name: F(f"{name}_now") for name in ("pending", "succeeded", "failed", "cancelled")},
    )
    for pk in wrong.values_list("pk", flat=True)[:MAX_FAULTS]:
        yield f"the counts of batch {pk} differ from its renders"
