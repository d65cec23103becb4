"""Seeded history of an account: finished renders with their jobs, attempts, credits, events and notifications."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.models import User
from analytics.models import NO_PROJECT, AnalyticsEvent, AnalyticsEventType
from analytics.wait_histogram import bucket_of
from core.ids import uuid7
from credits.models import CreditEntry, CreditEntryKind
from credits.pricing import cost_of
from jobs.models import Job, JobAttempt
from jobs.states import AttemptOutcome, JobStatus
from maintenance.seeding.random_data import ERRORS, SIZES, RandomData, title_edit
from maintenance.seeding.sample_media import SampleMedia
from notifications.models import Notification
from renders.job_types import RENDER_JOB, RENDER_QUEUE
from renders.models import Project, Render, RenderPriority
from renders.states import RenderStatus

_WORKER = "demo:1/1"
_NOTIFICATION_DAYS = 14
_FPS = 30
_JOB_OUTCOMES = {
    RenderStatus.SUCCEEDED: (JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED),
    RenderStatus.FAILED: (JobStatus.DEAD, AttemptOutcome.FAILED),
    RenderStatus.CANCELLED: (JobStatus.CANCELLED, AttemptOutcome.CANCELLED),
}


@dataclass(slots=True)
class CreditChange:
    """A credit entry before entries are sorted by time. closes: the id of the reservation's entry."""

    at: datetime
    kind: CreditEntryKind
    amount: int
    reference: str
    entry_id: UUID = field(default_factory=uuid7)
    closes: UUID | None = None


@dataclass(slots=True)
class AccountHistory:
    """The unsaved rows of one account."""

    user: User
    projects: list[Project]
    renders: list[Render] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    attempts: list[JobAttempt] = field(default_factory=list)
    credit_changes: list[CreditChange] = field(default_factory=list)
    events: list[AnalyticsEvent] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def entries(self, balance: int) -> tuple[list[CreditEntry], int]:
        """Return the changes as ledger entries in order of time, and the final balance. balance: the initial one."""
        rows = []
        for change in sorted(self.credit_changes, key=lambda change: (change.at, change.entry_id)):
            balance += change.amount
            rows.append(
                CreditEntry(
                    id=change.entry_id,
                    created_at=change.at,
                    user=self.user,
                    kind=change.kind,
                    amount=change.amount,
                    balance_after=balance,
                    reference=change.reference,
                    reservation_id=change.closes,
                )
            )
        return rows, balance

    def fund(self, since: datetime, token: str) -> None:
        """Grant, before any other entry, enough credits for all reservations at once."""
        needed = -sum(change.amount for change in self.credit_changes if change.amount < 0) + 100_000
        grant = CreditChange(since, CreditEntryKind.GRANT, needed, f"demo:{token}:{self.user.pk}")
        self.credit_changes.append(grant)
        self.events.append(
            self._event(AnalyticsEventType.CREDITS_MOVED, since, None, grant.entry_id, code="grant", credits=needed)
        )

    def add_render(self, random_data: RandomData, now: datetime, days: float, sample: SampleMedia) -> None:
        """Add a finished render with its job, credits, events and notification."""
        seeded = _SeededRender(random_data, now, days)
        project = random_data.choice([None, *self.projects])
        render = seeded.render(self.user, project, sample)
        self.renders.append(render)
        self._add_job(render, seeded)
        self._add_credits(render, seeded)
        self._add_events(render, seeded)
        if seeded.finished_at > now - timedelta(days=_NOTIFICATION_DAYS) and render.status != RenderStatus.CANCELLED:
            self._add_notification(render, random_data)

    def _add_job(self, render: Render, seeded: _SeededRender) -> None:
        status, outcome = _JOB_OUTCOMES[RenderStatus(render.status)]
        job = Job(
            id=render.job_id,
            created_at=render.created_at,
            queue=RENDER_QUEUE,
            type=RENDER_JOB,
            status=status,
            priority=render.priority,
            scheduled_at=render.created_at,
            queued_at=render.created_at,
            started_at=render.started_at,
            finished_at=seeded.finished_at,
            attempts=render.attempt,
            failures=render.attempt if status == JobStatus.DEAD else 0,
            max_attempts=3,
            worker=_WORKER if render.attempt else "",
            payload={"render": str(render.pk)},
            reference=render.reference,
            user=self.user,
            error=render.error,
        )
        self.jobs.append(job)
        if render.attempt:
            self.attempts.append(
                JobAttempt(
                    created_at=seeded.finished_at,
                    job=job,
                    number=1,
                    worker=_WORKER,
                    outcome=outcome,
                    error=render.error,
                    started_at=render.started_at,
                    finished_at=seeded.finished_at,
                )
            )

    def _add_credits(self, render: Render, seeded: _SeededRender) -> None:
        reserve = CreditChange(render.created_at, CreditEntryKind.RESERVE, -seeded.cost, render.reference)
        kind = CreditEntryKind.SETTLE if render.status == RenderStatus.SUCCEEDED else CreditEntryKind.REFUND
        refund = seeded.cost - (render.credits_charged or 0)
        closing = CreditChange(seeded.finished_at, kind, refund, f"{render.reference}/closed", closes=reserve.entry_id)
        self.credit_changes += [reserve, closing]

    def _add_events(self, render: Render, seeded: _SeededRender) -> None:
        at, project_id, pk = render.created_at, render.project_id, render.pk
        self.events.append(self._event(AnalyticsEventType.RENDER_SUBMITTED, at, project_id, pk))
        if render.started_at is not None:
            waited = {"code": bucket_of(seeded.wait_ms), "waited_ms": seeded.wait_ms}
            self.events.append(
                self._event(AnalyticsEventType.RENDER_STARTED, render.started_at, project_id, pk, **waited)
            )
        numbers: dict[str, Any] = {"credits": seeded.cost}
        if render.status == RenderStatus.SUCCEEDED:
            numbers |= {
                "duration_ms": round(seeded.length_s * 1000),
                "work_ms": seeded.work_ms,
                "size_bytes": render.output_size_bytes,
            }
        elif render.error:
            numbers["code"] = render.error["code"]
        ended = AnalyticsEventType(f"render.{render.status}")
        self.events.append(self._event(ended, seeded.finished_at, project_id, pk, **numbers))

    def _add_notification(self, render: Render, random_data: RandomData) -> None:
        assert render.finished_at is not None
        self.notifications.append(
            Notification(
                created_at=render.finished_at,
                user=self.user,
                kind=f"render.{render.status}",
                title=f"A render has {render.status}",
                body=render.error["message"] if render.error else "",
                resource=render.public_id,
                read_at=render.finished_at + timedelta(hours=1) if random_data.random() < 0.7 else None,
            )
        )

    def _event(
        self, event_type: AnalyticsEventType, at: datetime, project_id: UUID | None, resource_id: UUID, **columns: Any
    ) -> AnalyticsEvent:
        return AnalyticsEvent(
            type=event_type.value,
            created_at=at,
            user=self.user,
            project_id=project_id or NO_PROJECT,
            resource_id=resource_id,
            **columns,
        )


class _SeededRender:
    """The random parameters of one render, and its row."""

    def __init__(self, random_data: RandomData, now: datetime, days: float) -> None:
        self.random_data = random_data
        self.title = random_data.title()
        self.length_s = round(random_data.lognormvariate(2.7, 0.7), 1) + 1
        self.size: tuple[int, int] = random_data.pick(SIZES)
        self.cost = cost_of(self.length_s, self.size[0], self.size[1], _FPS)
        self.wait_ms = random_data.wait_ms()
        pixels = self.size[0] * self.size[1]
        self.work_ms = int(self.length_s * 1000 * pixels / (1920 * 1080) / random_data.uniform(1.5, 5)) + 400
        took = timedelta(milliseconds=self.wait_ms + self.work_ms)
        self.created_at = min(random_data.moment(now, days), now - took)
        self.started_at = self.created_at + timedelta(milliseconds=self.wait_ms)
        self.finished_at = self.created_at + took
        chance = random_data.random()
        self.status = RenderStatus.SUCCEEDED
        if chance > 0.93:
            self.status = RenderStatus.CANCELLED if chance > 0.97 else RenderStatus.FAILED

    def render(self, user: User, project: Project | None, sample: SampleMedia) -> Render:
        """Return the unsaved row."""
        never_started = self.status == RenderStatus.CANCELLED and self.random_data.random() < 0.5
        columns: dict[str, Any] = {}
        if self.status == RenderStatus.SUCCEEDED:
            columns = self._output(sample)
        if self.status == RenderStatus.FAILED:
            columns = {"error": self._error()}
        frames = round(self.length_s * _FPS)
        return Render(
            id=uuid7(),
            created_at=self.created_at,
            owner=user,
            project=project,
            job_id=uuid7(),
            edit=title_edit(self.title, self.length_s, self.size, _FPS),
            priority=self.random_data.choices(list(RenderPriority), [1, 4, 12, 3])[0],
            metadata={"order_id": str(self.random_data.randrange(10_000))},
            status=self.status,
            attempt=0 if never_started else 1,
            total_frames=None if never_started else frames,
            credits_reserved=self.cost,
            queued_at=self.created_at,
            started_at=None if never_started else self.started_at,
            finished_at=self.finished_at,
            **{"credits_charged": 0, **columns},
        )

    def _output(self, sample: SampleMedia) -> dict[str, Any]:
        frames = round(self.length_s * _FPS)
        return {
            "credits_charged": self.cost,
            "percent": 100.0,
            "frame": frames,
            "output_format": "mp4",
            "output_width": self.size[0],
            "output_height": self.size[1],
            "output_fps": float(_FPS),
            "output_duration_s": self.length_s,
            "output_size_bytes": int(self.length_s * self.size[0] * self.size[1] * 0.12),
            "output_sha256": sample.sha256,
            "output_key": sample.output_key,
            "poster_key": sample.poster_key,
            "thumbnail_key": sample.thumbnail_key,
            "output_deleted_at": None if sample else self.finished_at,
            "timings": {"fetch": 0.01, "render": round(self.work_ms / 1000, 3), "save": 0.02},
        }

    def _error(self) -> dict[str, Any]:
        code, message, retryable, step = self.random_data.pick(ERRORS)
        fault = {"code": code, "message": message, "retryable": retryable}
        return {**fault, "pointer": None, "step": step, "attempt": 1}


def generate_events(
    history: AccountHistory, random_data: RandomData, now: datetime, days: float, number: int
) -> Iterable[AnalyticsEvent]:
    """Yield analytics events of renders whose rows no longer exist."""
    for _ in range(number):
        at, length_ms = random_data.moment(now, days), random_data.randrange(1000, 60_000)
        project_id = random_data.choice([None, *[project.pk for project in history.projects]])
        chance = random_data.random()
        columns: dict[str, Any] = {}
        event_type = AnalyticsEventType.RENDER_SUBMITTED
        if chance > 0.67:
            event_type = AnalyticsEventType.RENDER_SUCCEEDED
            columns = {"duration_ms": length_ms, "work_ms": length_ms // 3, "credits": length_ms // 600}
        elif chance > 0.34:
            wait_ms = random_data.wait_ms()
            event_type = AnalyticsEventType.RENDER_STARTED
            columns = {"code": bucket_of(wait_ms), "waited_ms": wait_ms}
        elif chance > 0.32:
            event_type, columns = AnalyticsEventType.RENDER_FAILED, {"code": random_data.pick(ERRORS)[0], "credits": 5}
        yield AnalyticsEvent(
            type=event_type.value,
            created_at=at,
            user=history.user,
            project_id=project_id or NO_PROJECT,
            **columns,
        )
