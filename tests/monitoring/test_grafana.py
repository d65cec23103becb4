"""The dashboards of `deploy/grafana`: queries parse and speak of metrics that exist, and Grafana finds all files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.factories import make_delivery, make_job
from tests.monitoring.test_prometheus_rules import exposition, promtool

DEPLOY = Path(settings.BASE_DIR) / "deploy"
FOLDER = DEPLOY / "grafana"
BOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
BUILT_IN = {"up"}
# PromQL's own words, which look like metrics.
METRIC = re.compile(r"\b(?:django_http|renderowl)[a-z0-9_:]+\b|\bup(?=\{)")
# Grafana fills it in: four times the interval between scrapes.
RATE = "$__rate_interval"


def boards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in BOARDS]


def targets() -> list[tuple[str, str, str]]:
    """All queries: the panel, the expression, the legend."""
    return [
        (f"{board['uid']}, {panel['title']}", target["expr"], target["legendFormat"])
        for board in boards()
        for panel in board["panels"]
        for target in panel["targets"]
    ]


def test_there_are_the_three_boards() -> None:
    found = {board["uid"]: {panel["title"] for panel in board["panels"]} for board in boards()}
    assert set(found) == {"renderowl-overview", "renderowl-machine", "renderowl-webhooks"}
    assert [path.stem for path in BOARDS] == sorted(found)
    wanted = {"Requests", "Latency", "Ready jobs by queue", "Age of the oldest ready job", "Busy slots", "Speed factor"}
    assert wanted | {"Credits charged an hour", "Answers from the cache"} <= found["renderowl-overview"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    for board in boards():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (place["x"] + across, place["y"] + down) for across in range(place["w"]) for down in range(place["h"])
            }
            assert not cells & taken, (board["uid"], panel["title"])
            taken |= cells


def test_promtool_parses_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query{number}", "expr": expression.replace(RATE, "1m")}
        for number, (_, expression, _) in enumerate(targets())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.django_db
def test_queries_speak_of_what_is_exported_or_recorded(api) -> None:
    api.get("/api/v2/meta")
    make_job(status="dead")
    make_delivery()
    exported = set(re.findall(r"^# TYPE (\S+)", exposition(), re.MULTILINE)) | BUILT_IN
    exported |= {f"{name}_bucket" for name in exported}
    exported |= set(re.findall(r"record: (\S+)", (DEPLOY / "prometheus" / "rules.yml").read_text()))
    # A test's database has no write-ahead log, and PostgreSQL none at all.
    exported.add("renderowl_database_wal_bytes")
    for panel, expression, _ in targets():
        used = set(METRIC.findall(expression))
        assert used, panel
        assert used <= exported, panel


def test_legends_name_labels_that_the_query_keeps() -> None:
    for panel, expression, legend in targets():
        for label in re.findall(r"\{\{(\w+)\}\}", legend):
            kept = {name.strip() for names in re.findall(r"by \(([^)]*)\)", expression) for name in names.split(",")}
            assert label in kept, panel


def test_grafana_finds_what_it_is_given() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/renderowl.yaml").read_text())["providers"]
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert host in compose["services"]
    assert port == "9090"
    for board in boards():
        (variable,) = board["templating"]["list"]
        assert variable["query"] == source["type"] == "prometheus"
        used = {target["datasource"]["uid"] for panel in board["panels"] for target in panel["targets"]}
        assert used == {f"${{{variable['name']}}}"}
