"""Look for damage: in the file, in what tables say of each other, and in what they say of stored files."""

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
_AT_ONCE = 500
_INVALID_IN_POSTGRESQL = """
    SELECT 'index ' || indexrelid::regclass || ' is not valid' FROM pg_index WHERE NOT indisvalid
    UNION ALL
    SELECT 'constraint ' || conname || ' of ' || conrelid::regclass || ' was never checked'
    FROM pg_constraint WHERE NOT convalidated
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. faults: the first of them, in words; harmless: none of them is damage."""

    check: str
    faults: tuple[str, ...]
    harmless: bool = False

    @property
    def ok(self) -> bool:
        """Say whether there is no damage."""
        return self.harmless or not self.faults


IntegrityCheck = Callable[[], Iterable[str]]


def check_integrity(
    *, files: bool = True, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Finding]:
    """Make all checks, one after the other. files: also compare rows with the storage."""
    checks: list[tuple[str, IntegrityCheck]] = [
        *_CHECKS_OF_FILE.get(connection.vendor, []),
        ("migrations", _changed_migrations),
        ("ledger", _ledger),
        ("jobs", _jobs),
        ("renders without a job", _renders_without_job),
        ("what ended renders left behind", _left_behind),
        ("counts of batches", _batches),
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
        # A damaged file fails in the middle of any query, or gives back what is no id, time or JSON.
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
            yield f"row {row} of {table} names a row of {parent} that is not there"


def _postgresql_catalog() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_INVALID_IN_POSTGRESQL)
        for (line,) in cursor.fetchall():
            yield line


_CHECKS_OF_FILE: dict[str, list[tuple[str, IntegrityCheck]]] = {
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
    ended = Job.objects.filter(status__in=FINISHED, finished_at=None)
    for pk in ended.values_list("pk", flat=True)[:MAX_FAULTS]:
        yield f"job {pk} has ended at no time"


def _renders_without_job() -> Iterator[str]:
    # One statement: what ends between two would look like damage.
    at_work = Job.objects.filter(status__in=ACTIVE_JOBS).values("pk")
    for pk, status in (
        Render.objects.filter(status__in=ACTIVE)
        .exclude(job_id__in=at_work)
        .order_by()
        .values_list("pk", "status")[:MAX_FAULTS]
    ):
        yield f"render {pk} is {status}, and no job works on it"


def _left_behind() -> Iterator[str]:
    holds = AssetHold.objects.filter(reference__startswith="render:").order_by("pk")
    for reference in _of_ended_renders(holds):
        yield f"{reference} has ended and still holds assets"
    reserved = CreditEntry.objects.filter(kind=CreditEntryKind.RESERVE, closing=None, reference__startswith="render:")
    for reference in _of_ended_renders(reserved.order_by("pk")):
        yield f"{reference} has ended and still reserves credits"


def _of_ended_renders(rows: QuerySet[AssetHold] | QuerySet[CreditEntry]) -> Iterator[str]:
    """Yield the references among these whose render has ended. Rows and render are looked at again together."""
    seen = iter(rows.values_list("pk", "reference").iterator())
    while batch := dict(islice(seen, _AT_ONCE)):
        ids = {pk for reference in batch.values() if (pk := _render_of(reference)) is not None}
        ended = set(Render.objects.filter(pk__in=ids, status__in=TERMINAL).values_list("pk", flat=True))
        if ended:
            # Released meanwhile, in the transaction that ended the render, is no fault.
            still = rows.filter(pk__in=batch).order_by().values_list("reference", flat=True)
            yield from sorted({reference for reference in still if _render_of(reference) in ended})


def _render_of(reference: str) -> UUID | None:
    try:
        return UUID(reference.split(":")[1])
    except ValueError:
        return None


def _batches() -> Iterator[str]:
    def counted(*states: str) -> Count:
        return Count("renders", filter=Q(renders__status__in=states))

    found = Batch.objects.order_by().annotate(
        is_pending=counted(*ACTIVE),
        has_succeeded=counted(RenderStatus.SUCCEEDED),
        has_failed=counted(RenderStatus.FAILED),
        was_cancelled=counted(RenderStatus.CANCELLED),
    )
    wrong = found.exclude(
        pending=F("is_pending"), succeeded=F("has_succeeded"), failed=F("has_failed"), cancelled=F("was_cancelled")
    )
    for pk in wrong.values_list("pk", flat=True)[:MAX_FAULTS]:
        yield f"batch {pk} counts other renders than it has"
