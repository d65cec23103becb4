"""Seeder of the demo data: writes accounts one at a time."""

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
from accounts.plans import AccountPlan
from analytics.models import AnalyticsEvent, AnalyticsEventType
from analytics.services import aggregate_events
from assets.models import Asset
from credits.models import CreditAccount, CreditEntry
from jobs.models import Job, JobAttempt
from jobs.states import JobStatus
from maintenance.seeding.history import AccountHistory, generate_events
from maintenance.seeding.random_data import RandomData, title_edit
from maintenance.seeding.sample_media import SampleMedia, store_sample_media
from notifications.models import Notification
from renders.models import Project, Render
from renders.requests import RenderRequest
from renders.services.library import create_template
from renders.services.submit import submit_render

NAMES = ("ana", "bo", "chen", "dee", "eli", "fay", "gus", "hana", "ivo", "jo", "kai", "lea", "mo", "nia", "oz", "pia")
_BATCH = 500
_RENDERS_PER_USER = 500
_MAX_USERS = 200
_OTHER_JOBS = ("assets.remove_files", "jobs.purge_finished", "core.forget_keys", "analytics.aggregate")
_MAX_WAITING = 12
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """The amounts to seed. jobs, events: totals, including those of the renders. days: length of the history."""

    renders: int = 1000
    jobs: int = 0
    events: int = 0
    days: int = 60
    seed: int | None = None
    with_files: bool = True


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The rows written, by kind. prefix: of the usernames."""

    prefix: str
    rows: dict[str, int]


def seed(plan: SeedPlan, on_progress: Progress = lambda done, total: None) -> SeedResult:
    """Seed the database. on_progress: called with rows written and approximate total.

    Accounts and ledger are consistent after each transaction, so an interrupted run leaves valid data.
    """
    return _Seeder(plan, on_progress).run()


class _Seeder:
    def __init__(self, plan: SeedPlan, on_progress: Progress) -> None:
        self.plan = plan
        self.random_data = RandomData(plan.seed)
        self.now = timezone.now()
        self.token = secrets.token_hex(3)
        self.rows: Counter[str] = Counter()
        self._on_progress = on_progress
        self._total = plan.renders + max(0, plan.jobs - plan.renders) + max(plan.events, 3 * plan.renders)
        self._done = 0

    def run(self) -> SeedResult:
        sample = store_sample_media(self.token) if self.plan.with_files else SampleMedia()
        users = max(3, min(_MAX_USERS, self.plan.renders // _RENDERS_PER_USER))
        histories = [self._make_account(number) for number in range(users)]
        for number, history in enumerate(histories):
            self._make_assets(history, sample)
            self._write_history(history, _share(self.plan.renders, users, number), sample)
        self._fill_jobs(histories, self.plan.jobs - self.rows["jobs"])
        self._fill_events(histories, self.plan.events - self.rows["events"])
        self._submit_some(histories)
        while aggregate_events(limit=5000):
            pass
        return SeedResult(f"demo-{self.token}", dict(self.rows))

    def _make_account(self, number: int) -> AccountHistory:
        name = f"demo-{self.token}-{NAMES[number % len(NAMES)]}{number // len(NAMES) or ''}"
        since = self.now - timedelta(days=self.plan.days + 1)
        user = User(
            username=name,
            email=f"{name}@renderowl.example",
            plan=self.random_data.choice(AccountPlan.values),
            created_at=since,
        )
        user.set_unusable_password()
        projects = [
            Project(owner=user, name=title, created_at=since) for title in ("Website", "Social media", "Internal")
        ]
        with transaction.atomic():
            self._insert(User, [user])
            self._insert(CreditAccount, [CreditAccount(user=user, created_at=since)])
            self._insert(Project, projects[: self.random_data.randrange(1, 4)])
            edit = title_edit("{{ NAME }}", 5, (1280, 720), 30)
            create_template(owner=user, name="Greeting", edit=edit, merge={"NAME": "friend"})
            self.rows["templates"] += 1
        return AccountHistory(user, list(Project.objects.filter(owner=user)))

    def _make_assets(self, history: AccountHistory, sample: SampleMedia) -> None:
        if not sample:
            return
        probe = {"duration_s": 2.0, "width": 320, "height": 180, "fps": 15.0, "video_codec": "h264"}
        assets = [
            Asset(
                owner=history.user,
                created_at=self.random_data.moment(self.now, self.plan.days),
                kind="video",
                status="ready",
                name=f"{self.random_data.title()}.mp4",
                size_bytes=sample.size_bytes,
                sha256=sample.sha256,
                content_type="video/mp4",
                probe={**probe, "audio_codec": None, "has_alpha": False},
                storage_key=sample.asset_key,
                poster_key="",
            )
            for _ in range(self.random_data.randrange(2, 9))
        ]
        with transaction.atomic():
            self._insert(Asset, assets)
            events = [
                AnalyticsEvent(
                    type=AnalyticsEventType.ASSET_READY,
                    created_at=asset.created_at,
                    user=history.user,
                    resource_id=asset.pk,
                    code="video",
                    size_bytes=sample.size_bytes,
                )
                for asset in assets
            ]
            self._insert(AnalyticsEvent, events)

    def _write_history(self, history: AccountHistory, renders: int, sample: SampleMedia) -> None:
        """Write the history of an account in one transaction, so that its balance is always right."""
        for _ in range(renders):
            history.add_render(self.random_data, self.now, self.plan.days, sample)
        history.fund(self.now - timedelta(days=self.plan.days + 1), self.token)
        entries, balance = history.entries(0)
        with transaction.atomic():
            self._insert(Job, history.jobs)
            self._insert(JobAttempt, history.attempts)
            self._insert(Render, history.renders)
            self._insert(CreditEntry, entries)
            CreditAccount.objects.filter(user=history.user).update(balance=F("balance") + balance)
            self._insert(AnalyticsEvent, history.events)
            self._insert(Notification, history.notifications)
        self._advance(renders + len(history.events))

    def _fill_jobs(self, histories: list[AccountHistory], number: int) -> None:
        def finished_job() -> Job:
            at = self.random_data.moment(self.now, self.plan.days)
            ended = at + timedelta(milliseconds=self.random_data.randrange(5, 5000))
            is_dead = self.random_data.random() < 0.01
            return Job(
                created_at=at,
                type=self.random_data.choice(_OTHER_JOBS),
                status=JobStatus.DEAD if is_dead else JobStatus.SUCCEEDED,
                scheduled_at=at,
                queued_at=at,
                started_at=at,
                finished_at=ended,
                attempts=1,
                worker="demo:1/1",
                user=self.random_data.choice(histories).user,
                error={"type": "DemoError", "message": "Nothing happened."} if is_dead else None,
            )

        self._in_batches(Job, (finished_job() for _ in range(max(0, number))))

    def _fill_events(self, histories: list[AccountHistory], number: int) -> None:
        for index, history in enumerate(histories):
            share = _share(max(0, number), len(histories), index)
            self._in_batches(
                AnalyticsEvent, generate_events(history, self.random_data, self.now, self.plan.days, share)
            )

    def _submit_some(self, histories: list[AccountHistory]) -> None:
        """Submit a few renders, some of them scheduled, for a worker to process."""
        for number in range(min(_MAX_WAITING, self.plan.renders // 20)):
            run_at = self.now + timedelta(days=1, hours=number) if number % 3 == 0 else None
            edit = title_edit(self.random_data.title(), 3, (640, 360), 15)
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
        model._default_manager.bulk_create(rows, batch_size=_BATCH)  # noqa: SLF001 - documented by Django
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
    AnalyticsEvent: "events",
    Notification: "notifications",
}


def _share(total: int, parts: int, number: int) -> int:
    """Return the share of one part; the shares of all parts add up to the total."""
    return total * (number + 1) // parts - total * number // parts
