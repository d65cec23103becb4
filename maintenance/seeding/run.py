"""Fill the database, an account at a time."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F, Model
from django.utils import timezone

from accounts.models import User
from accounts.plans import Plan
from analytics.models import Event, EventType
from analytics.services import count_events
from assets.models import Asset
from credits.models import CreditAccount, CreditEntry
from jobs.models import Job, JobAttempt
from jobs.states import JobStatus
from maintenance.seeding.dice import Dice, title_edit
from maintenance.seeding.history import History, many_events
from maintenance.seeding.sample import Sample, store_sample
from notifications.models import Notification
from renders.models import Project, Render
from renders.requests import RenderRequest
from renders.services.library import create_template
from renders.services.submit import submit_render

NAMES = ("ana", "bo", "chen", "dee", "eli", "fay", "gus", "hana", "ivo", "jo", "kai", "lea", "mo", "nia", "oz", "pia")
_BATCH = 500
_RENDERS_A_USER = 500
_MAX_USERS = 200
_OTHER_JOBS = ("assets.remove_files", "jobs.purge_finished", "core.forget_keys", "analytics.count")
_MAX_WAITING = 12
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """How much. jobs, events: in all, those of the renders included. days: how far back."""

    renders: int = 1000
    jobs: int = 0
    events: int = 0
    days: int = 60
    seed: int | None = None
    with_files: bool = True


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was written."""

    prefix: str
    rows: dict[str, int]


def seed(plan: SeedPlan, on_progress: Progress = lambda done, total: None) -> Seeded:
    """Fill the database. on_progress: told rows done and rows in all, roughly.

    Accounts, ledger and figures are whole after each transaction, so that a run that is stopped leaves no mess.
    """
    return _Seeding(plan, on_progress).run()


class _Seeding:
    def __init__(self, plan: SeedPlan, on_progress: Progress) -> None:
        self.plan = plan
        self.dice = Dice(plan.seed)
        self.now = timezone.now()
        self.token = secrets.token_hex(3)
        self.rows: Counter[str] = Counter()
        self._on_progress = on_progress
        self._total = plan.renders + max(0, plan.jobs - plan.renders) + max(plan.events, 3 * plan.renders)
        self._done = 0

    def run(self) -> Seeded:
        sample = store_sample(self.token) if self.plan.with_files else Sample()
        users = max(3, min(_MAX_USERS, self.plan.renders // _RENDERS_A_USER))
        histories = [self._make_account(number) for number in range(users)]
        for number, history in enumerate(histories):
            self._make_assets(history, sample)
            self._fill(history, _share(self.plan.renders, users, number), sample)
        self._fill_jobs(histories, self.plan.jobs - self.rows["jobs"])
        self._fill_events(histories, self.plan.events - self.rows["events"])
        self._submit_some(histories)
        while count_events(limit=5000):
            pass
        return Seeded(f"demo-{self.token}", dict(self.rows))

    def _make_account(self, number: int) -> History:
        name = f"demo-{self.token}-{NAMES[number % len(NAMES)]}{number // len(NAMES) or ''}"
        since = self.now - timedelta(days=self.plan.days + 1)
        user = User(
            username=name, email=f"{name}@renderowl.example", plan=self.dice.choice(Plan.values), created_at=since
        )
        user.set_unusable_password()
        projects = [
            Project(owner=user, name=title, created_at=since) for title in ("Website", "Social media", "Internal")
        ]
        with transaction.atomic():
            self._insert(User, [user])
            self._insert(CreditAccount, [CreditAccount(user=user, created_at=since)])
            self._insert(Project, projects[: self.dice.randrange(1, 4)])
            edit = title_edit("{{ NAME }}", 5, (1280, 720), 30)
            create_template(owner=user, name="Greeting", edit=edit, merge={"NAME": "nobody"})
            self.rows["templates"] += 1
        return History(user, list(Project.objects.filter(owner=user)))

    def _make_assets(self, history: History, sample: Sample) -> None:
        if not sample:
            return
        probe = {"duration_s": 2.0, "width": 320, "height": 180, "fps": 15.0, "video_codec": "h264"}
        assets = [
            Asset(
                owner=history.user,
                created_at=self.dice.moment(self.now, self.plan.days),
                kind="video",
                status="ready",
                name=f"{self.dice.title()}.mp4",
                size_bytes=sample.size_bytes,
                sha256=sample.sha256,
                content_type="video/mp4",
                probe={**probe, "audio_codec": None, "has_alpha": False},
                storage_key=sample.asset_key,
                poster_key="",
            )
            for _ in range(self.dice.randrange(2, 9))
        ]
        with transaction.atomic():
            self._insert(Asset, assets)
            events = [
                Event(
                    type=EventType.ASSET_READY,
                    created_at=asset.created_at,
                    user=history.user,
                    resource_id=asset.pk,
                    code="video",
                    size_bytes=sample.size_bytes,
                )
                for asset in assets
            ]
            self._insert(Event, events)

    def _fill(self, history: History, renders: int, sample: Sample) -> None:
        """Write the past of an account: all of it or nothing, so that its balance is right at any time."""
        for _ in range(renders):
            history.add_render(self.dice, self.now, self.plan.days, sample)
        history.fund(self.now - timedelta(days=self.plan.days + 1), self.token)
        entries, balance = history.entries(0)
        with transaction.atomic():
            self._insert(Job, history.jobs)
            self._insert(JobAttempt, history.attempts)
            self._insert(Render, history.renders)
            self._insert(CreditEntry, entries)
            CreditAccount.objects.filter(user=history.user).update(balance=F("balance") + balance)
            self._insert(Event, history.events)
            self._insert(Notification, history.notices)
        self._advance(renders + len(history.events))

    def _fill_jobs(self, histories: list[History], number: int) -> None:
        """Write finished jobs of other kinds."""

        def one() -> Job:
            at = self.dice.moment(self.now, self.plan.days)
            ended = at + timedelta(milliseconds=self.dice.randrange(5, 5000))
            is_dead = self.dice.random() < 0.01
            return Job(
                created_at=at,
                type=self.dice.choice(_OTHER_JOBS),
                status=JobStatus.DEAD if is_dead else JobStatus.SUCCEEDED,
                scheduled_at=at,
                queued_at=at,
                started_at=at,
                finished_at=ended,
                attempts=1,
                worker="demo:1/1",
                user=self.dice.choice(histories).user,
                error={"type": "DemoError", "message": "Nothing happened."} if is_dead else None,
            )

        self._in_batches(Job, (one() for _ in range(max(0, number))))

    def _fill_events(self, histories: list[History], number: int) -> None:
        for index, history in enumerate(histories):
            share = _share(max(0, number), len(histories), index)
            self._in_batches(Event, many_events(history, self.dice, self.now, self.plan.days, share))

    def _submit_some(self, histories: list[History]) -> None:
        """Submit a few for now and later, as a client would: a worker takes them up."""
        for number in range(min(_MAX_WAITING, self.plan.renders // 20)):
            run_at = self.now + timedelta(days=1, hours=number) if number % 3 == 0 else None
            edit = title_edit(self.dice.title(), 3, (640, 360), 15)
            owner = histories[number % len(histories)].user
            submit_render(owner=owner, request=RenderRequest(edit=edit, run_at=run_at))
            self.rows["renders"] += 1
            self.rows["jobs"] += 1
            self.rows["events"] += 1
            self.rows["credit_entries"] += 1

    def _in_batches(self, model: type[Model], rows: Iterable[Any]) -> None:
        source = iter(rows)
        while batch := list(islice(source, 10 * _BATCH)):
            with transaction.atomic():
                self._insert(model, batch)
            self._advance(len(batch))

    def _insert(self, model: type[Any], rows: list[Any]) -> None:
        model._default_manager.bulk_create(rows, batch_size=_BATCH)  # noqa: SLF001 - the public way to any model's
        self.rows[_PLURALS[model]] += len(rows)

    def _advance(self, rows: int) -> None:
        self._done += rows
        self._on_progress(min(self._done, self._total), self._total)


_PLURALS: dict[type[Model], str] = {
    User: "users",
    CreditAccount: "credit_accounts",
    Project: "projects",
    Asset: "assets",
    Render: "renders",
    Job: "jobs",
    JobAttempt: "attempts",
    CreditEntry: "credit_entries",
    Event: "events",
    Notification: "notifications",
}


def _share(total: int, parts: int, number: int) -> int:
    """Return how much of a total a part gets, so that all parts make the total."""
    return total * (number + 1) // parts - total * number // parts
