"""Renders that have ended, with everything that came of each: job, attempt, credits, events, notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.models import User
from analytics.models import NO_PROJECT, Event, EventType
from analytics.waits import class_of
from core.ids import uuid7
from credits.models import CreditEntry, EntryKind
from credits.pricing import cost_of
from jobs.models import Job, JobAttempt
from jobs.states import JobStatus, Outcome
from maintenance.seeding.dice import ERRORS, SIZES, Dice, title_edit
from maintenance.seeding.sample import Sample
from notifications.models import Notification
from renders.models import Priority, Project, Render
from renders.names import RENDER_JOB, RENDER_QUEUE
from renders.states import RenderStatus

_WORKER = "demo:1/1"
_NOTICE_DAYS = 14
_FPS = 30
_JOB_ENDS = {
    RenderStatus.SUCCEEDED: (JobStatus.SUCCEEDED, Outcome.SUCCEEDED),
    RenderStatus.FAILED: (JobStatus.DEAD, Outcome.FAILED),
    RenderStatus.CANCELLED: (JobStatus.CANCELLED, Outcome.CANCELLED),
}


@dataclass(slots=True)
class Movement:
    """A change of a balance, not yet in its order. closes: the entry of the reservation."""

    at: datetime
    kind: EntryKind
    amount: int
    reference: str
    entry_id: UUID = field(default_factory=uuid7)
    closes: UUID | None = None


@dataclass(slots=True)
class History:
    """What happened to one account."""

    user: User
    projects: list[Project]
    renders: list[Render] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    attempts: list[JobAttempt] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notices: list[Notification] = field(default_factory=list)

    def entries(self, balance: int) -> tuple[list[CreditEntry], int]:
        """Return the movements as entries, each with the balance after it, and the last balance.

        balance: before the first of them.
        """
        rows = []
        for move in sorted(self.movements, key=lambda move: (move.at, move.entry_id)):
            balance += move.amount
            rows.append(
                CreditEntry(
                    id=move.entry_id,
                    created_at=move.at,
                    user=self.user,
                    kind=move.kind,
                    amount=move.amount,
                    balance_after=balance,
                    reference=move.reference,
                    reservation_id=move.closes,
                )
            )
        return rows, balance

    def fund(self, since: datetime, token: str) -> None:
        """Give the account, before anything else, what all its reservations could need at one time."""
        needed = -sum(move.amount for move in self.movements if move.amount < 0) + 100_000
        grant = Movement(since, EntryKind.GRANT, needed, f"demo:{token}:{self.user.pk}")
        self.movements.append(grant)
        self.events.append(
            self._event(EventType.CREDITS_MOVED, since, None, grant.entry_id, code="grant", credits=needed)
        )

    def add_render(self, dice: Dice, now: datetime, days: float, sample: Sample) -> None:
        """Add a render that has ended."""
        story = _Story(dice, now, days)
        project = dice.choice([None, *self.projects])
        render = story.render(self.user, project, sample)
        self.renders.append(render)
        self._add_job(render, story)
        self._add_credits(render, story)
        self._add_events(render, story)
        if story.finished_at > now - timedelta(days=_NOTICE_DAYS) and render.status != RenderStatus.CANCELLED:
            self._add_notice(render, dice)

    def _add_job(self, render: Render, story: _Story) -> None:
        status, outcome = _JOB_ENDS[RenderStatus(render.status)]
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
            finished_at=story.finished_at,
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
                    created_at=story.finished_at,
                    job=job,
                    number=1,
                    worker=_WORKER,
                    outcome=outcome,
                    error=render.error,
                    started_at=render.started_at,
                    finished_at=story.finished_at,
                )
            )

    def _add_credits(self, render: Render, story: _Story) -> None:
        reserve = Movement(render.created_at, EntryKind.RESERVE, -story.cost, render.reference)
        kind = EntryKind.SETTLE if render.status == RenderStatus.SUCCEEDED else EntryKind.REFUND
        back = story.cost - (render.credits_charged or 0)
        closing = Movement(story.finished_at, kind, back, f"{render.reference}/closed", closes=reserve.entry_id)
        self.movements += [reserve, closing]

    def _add_events(self, render: Render, story: _Story) -> None:
        at, project_id, pk = render.created_at, render.project_id, render.pk
        self.events.append(self._event(EventType.RENDER_SUBMITTED, at, project_id, pk))
        if render.started_at is not None:
            waited = {"code": class_of(story.wait_ms), "waited_ms": story.wait_ms}
            self.events.append(self._event(EventType.RENDER_STARTED, render.started_at, project_id, pk, **waited))
        numbers: dict[str, Any] = {"credits": story.cost}
        if render.status == RenderStatus.SUCCEEDED:
            numbers |= {
                "duration_ms": round(story.length_s * 1000),
                "work_ms": story.work_ms,
                "size_bytes": render.output_size_bytes,
            }
        elif render.error:
            numbers["code"] = render.error["code"]
        ended = EventType(f"render.{render.status}")
        self.events.append(self._event(ended, story.finished_at, project_id, pk, **numbers))

    def _add_notice(self, render: Render, dice: Dice) -> None:
        assert render.finished_at is not None
        self.notices.append(
            Notification(
                created_at=render.finished_at,
                user=self.user,
                kind=f"render.{render.status}",
                title=f"A render has {render.status}",
                body=render.error["message"] if render.error else "",
                resource=render.public_id,
                read_at=render.finished_at + timedelta(hours=1) if dice.random() < 0.7 else None,
            )
        )

    def _event(
        self, event_type: EventType, at: datetime, project_id: UUID | None, resource_id: UUID, **columns: Any
    ) -> Event:
        return Event(
            type=event_type.value,
            created_at=at,
            user=self.user,
            project_id=project_id or NO_PROJECT,
            resource_id=resource_id,
            **columns,
        )


class _Story:
    """How one render went: thrown first, written down afterwards."""

    def __init__(self, dice: Dice, now: datetime, days: float) -> None:
        self.dice = dice
        self.title = dice.title()
        self.length_s = round(dice.lognormvariate(2.7, 0.7), 1) + 1
        self.size: tuple[int, int] = dice.pick(SIZES)
        self.cost = cost_of(self.length_s, self.size[0], self.size[1], _FPS)
        self.wait_ms = dice.wait_ms()
        pixels = self.size[0] * self.size[1]
        self.work_ms = int(self.length_s * 1000 * pixels / (1920 * 1080) / dice.uniform(1.5, 5)) + 400
        took = timedelta(milliseconds=self.wait_ms + self.work_ms)
        self.created_at = min(dice.moment(now, days), now - took)
        self.started_at = self.created_at + timedelta(milliseconds=self.wait_ms)
        self.finished_at = self.created_at + took
        throw = dice.random()
        self.status = RenderStatus.SUCCEEDED
        if throw > 0.93:
            self.status = RenderStatus.CANCELLED if throw > 0.97 else RenderStatus.FAILED

    def render(self, user: User, project: Project | None, sample: Sample) -> Render:
        """Return the row."""
        never_started = self.status == RenderStatus.CANCELLED and self.dice.random() < 0.5
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
            priority=self.dice.choices(list(Priority), [1, 4, 12, 3])[0],
            metadata={"order_id": str(self.dice.randrange(10_000))},
            status=self.status,
            attempt=0 if never_started else 1,
            total_frames=None if never_started else frames,
            credits_reserved=self.cost,
            queued_at=self.created_at,
            started_at=None if never_started else self.started_at,
            finished_at=self.finished_at,
            **{"credits_charged": 0, **columns},
        )

    def _output(self, sample: Sample) -> dict[str, Any]:
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
        code, message, retryable, step = self.dice.pick(ERRORS)
        fault = {"code": code, "message": message, "retryable": retryable}
        return {**fault, "pointer": None, "step": step, "attempt": 1}


def many_events(history: History, dice: Dice, now: datetime, days: float, number: int) -> Iterable[Event]:
    """Yield events of renders that are long gone: only the log remembers them."""
    for _ in range(number):
        at, length_ms = dice.moment(now, days), dice.randrange(1000, 60_000)
        project_id = dice.choice([None, *[project.pk for project in history.projects]])
        throw = dice.random()
        columns: dict[str, Any] = {}
        event_type = EventType.RENDER_SUBMITTED
        if throw > 0.67:
            event_type = EventType.RENDER_SUCCEEDED
            columns = {"duration_ms": length_ms, "work_ms": length_ms // 3, "credits": length_ms // 600}
        elif throw > 0.34:
            wait_ms = dice.wait_ms()
            event_type = EventType.RENDER_STARTED
            columns = {"code": class_of(wait_ms), "waited_ms": wait_ms}
        elif throw > 0.32:
            event_type, columns = EventType.RENDER_FAILED, {"code": dice.pick(ERRORS)[0], "credits": 5}
        yield Event(
            type=event_type.value,
            created_at=at,
            user=history.user,
            project_id=project_id or NO_PROJECT,
            **columns,
        )
