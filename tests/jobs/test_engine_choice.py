"""`JOBS_ENGINE` and `run_worker --engine`: unsupported engines are refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs.checks import check_jobs_engine

SENTENCE = "The engine celery is not part of this version; choose database."


def test_the_worker_refuses_celery(settings: Any) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("run_worker", "--engine", "celery")
    assert str(refusal.value) == SENTENCE
    settings.RENDEROWL_JOBS_ENGINE = "celery"
    with pytest.raises(CommandError) as refusal:
        call_command("run_worker", skip_checks=True)
    assert str(refusal.value) == SENTENCE


def test_a_system_check_refuses_the_setting(settings: Any) -> None:
    assert check_jobs_engine(None) == []
    settings.RENDEROWL_JOBS_ENGINE = "celery"
    (error,) = check_jobs_engine(None)
    assert error.id == "renderowl.E002"
    assert error.msg == "JOBS_ENGINE is 'celery', which is not part of this version; choose database."
