"""The rules of `deploy/prometheus`: promtool accepts them, and they use existing metrics."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest

from monitoring.metrics import views
from monitoring.metrics.collector import RenderowlCollector
from tests.factories import make_delivery, make_job
from tests.required_services import require

FOLDER = Path(settings.BASE_DIR) / "deploy" / "prometheus"
# Metrics that Prometheus itself records.
BUILT_IN = {"up"}


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    path = shutil.which("promtool")
    require(available=path is not None, what="promtool")
    return subprocess.run(
        [str(path), *arguments], input=text, capture_output=True, text=True, check=False, cwd=FOLDER, timeout=60
    )


def exposition() -> str:
    """Return everything that a server exports."""
    registry = CollectorRegistry()
    registry.register(RenderowlCollector())
    return (generate_latest(views.REGISTRY) + generate_latest(registry)).decode()


@pytest.mark.parametrize("arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "tests/rules.yml")])
def test_promtool_accepts_the_configuration_and_rules(arguments: tuple[str, ...]) -> None:
    done = promtool(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.django_db
def test_promtool_accepts_the_metrics(api) -> None:
    api.get("/api/v2/meta")
    make_job(status="dead")
    make_delivery()
    registry = CollectorRegistry()
    registry.register(RenderowlCollector())
    done = promtool("check", "metrics", text=generate_latest(registry).decode())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.django_db
def test_rules_use_exported_metrics(api) -> None:
    api.get("/api/v2/meta")
    make_job(status="dead")
    exported = set(re.findall(r"^# TYPE (\S+)", exposition(), re.MULTILINE))
    exported |= {f"{name}_bucket" for name in exported} | BUILT_IN
    text = (FOLDER / "rules.yml").read_text()
    used = set(re.findall(r"\b(?:django_http|renderowl)_[a-z0-9_]+", text)) - {"renderowl_alerts"}
    assert used
    assert used - exported == set()
    recorded = set(re.findall(r"record: (\S+)", text))
    assert set(re.findall(r"\brenderowl:[a-z0-9_:]+", text)) == recorded


def test_every_alert_has_a_test() -> None:
    alerts = set(re.findall(r"- alert: (\S+)", (FOLDER / "rules.yml").read_text()))
    tested = set(re.findall(r"alertname: (\w+)", (FOLDER / "tests" / "rules.yml").read_text()))
    assert alerts - tested == set()
