"""`seed_demo` writes consistent demo data in the requested amounts."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from analytics.models import AnalyticsEvent
from api.routing import api_path
from core.progress_bar import ProgressBar
from credits.models import CreditEntry
from credits.selectors import check_ledger
from jobs.models import Job
from renders.models import Render
from tests.analytics.helpers import recount, stats
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> dict:
    out = io.StringIO()
    call_command("seed_demo", "--json", "--no-files", "--seed", "5", *arguments, stdout=out, stderr=io.StringIO())
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])


def test_ledger_statistics_and_jobs_are_consistent(api) -> None:
    result = run("--renders", "60", "--jobs", "90", "--events", "300")
    assert list(check_ledger()) == []
    assert stats("hour") == recount("hour")
    assert stats("day") == recount("day")
    assert result["renders"] == Render.objects.count() == 60 + 3
    assert result["jobs"] == Job.objects.count() == 90 + 3
    assert result["events"] == AnalyticsEvent.objects.count() == 300 + 3
    assert {"succeeded", "failed", "cancelled", "queued", "scheduled"} >= set(
        Render.objects.values_list("status", flat=True)
    )
    for render in Render.objects.filter(finished_at__isnull=False):
        job = Job.objects.get(pk=render.job_id)
        assert job.reference == render.reference
        assert job.finished_at == render.finished_at
    user = User.objects.get(username__startswith=result["users_prefix"], username__endswith="ana")
    headers = {"X-API-Key": make_api_key(user)}
    for name in ("render-list", "analytics-renders", "credit-balance", "notification-list"):
        assert api.get(api_path(name, 2), headers=headers).status_code == 200


def test_the_ledger_is_in_order_for_every_account() -> None:
    run("--renders", "40")
    for user in User.objects.all():
        balance = 0
        entries = CreditEntry.objects.filter(user=user, created_at__lt=timezone.now() - timedelta(minutes=1))
        for entry in entries.order_by("created_at", "id"):
            balance += entry.amount
            assert entry.balance_after == balance >= 0


def test_running_it_again_adds_more_users() -> None:
    first, second = run("--renders", "5"), run("--renders", "5")
    assert first["users_prefix"] != second["users_prefix"]
    assert Render.objects.count() == 10


def test_refuses_a_service_with_real_accounts(settings) -> None:
    settings.DEBUG = settings.TESTING = False
    with pytest.raises(CommandError, match="--force"):
        run("--renders", "1")
    assert run("--renders", "1", "--force")["renders"] == 1


@pytest.mark.parametrize("number", ["-1", "many", "1000000000"])
def test_refuses_invalid_numbers(number) -> None:
    with pytest.raises(CommandError):
        run(f"--renders={number}")


def test_prints_a_progress_bar_only_on_a_terminal(capsys) -> None:
    call_command("seed_demo", "--renders", "6", "--no-files")
    captured = capsys.readouterr()
    assert "6 renders" in captured.out
    assert "\r" not in captured.err
    assert "24 of 24 rows" in captured.err

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    progress_bar = ProgressBar(terminal, "rows")
    progress_bar.show(1, 2)
    progress_bar.close()
    assert "\r[####################....................]  50.0 %" in terminal.getvalue()


@pytest.mark.acceptance
def test_outputs_can_be_downloaded(api) -> None:
    call_command("seed_demo", "--renders", "3", "--seed", "1", stdout=io.StringIO(), stderr=io.StringIO())
    render = Render.objects.filter(status="succeeded").first()
    shown = api.get(f"/api/v2/renders/{render.public_id}", headers={"X-API-Key": make_api_key(render.owner)}).json()
    for url in (shown["output"]["url"], shown["poster_url"], shown["thumbnail_url"]):
        response = api.get(url)
        assert response.status_code == 200
        assert len(b"".join(response.streaming_content)) > 300
