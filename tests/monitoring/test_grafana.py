"""The dashboards of `deploy/grafana`: queries parse and use existing metrics, and provisioning paths match."""

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
# Metric names in PromQL.
METRIC = re.compile(r"\b(?:django_http|renderowl)[a-z0-9_:]+\b|\bup(?=\{)")
# Grafana replaces it with at least four scrape intervals.
RATE = "$__rate_interval"


def boards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in BOARDS]


def targets() -> list[tuple[str, str, str]]:
    """Return (panel, expression, legend) of all queries."""
    return [
        (f"{board['uid']}, {panel['title']}", target["expr"], target["legendFormat"])
        for board in boards()
        for panel in board["panels"]
        for target in panel["targets"]
    ]


def test_the_three_dashboards_have_their_panels() -> None:
    found = {board["uid"]: {panel["title"] for panel in board["panels"]} for board in boards()}
    assert set(found) == {"renderowl-overview", "renderowl-machine", "renderowl-webhooks"}
    assert [path.stem for path in BOARDS] == sorted(found)
    wanted = {"Requests", "Latency", "Ready jobs by queue", "Age of the oldest ready job", "Busy slots", "Speed factor"}
    assert wanted | {"Credits charged per hour", "Response cache hit rate"} <= found["renderowl-overview"]


def test_panels_have_unique_ids_and_do_not_overlap() -> None:
    for board in boards():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        occupied: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            position = panel["gridPos"]
            assert position["x"] + position["w"] <= 24
            cells = {(position["x"] + x, position["y"] + y) for x in range(position["w"]) for y in range(position["h"])}
            assert not cells & occupied, (board["uid"], panel["title"])
            occupied |= cells


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
def test_queries_use_exported_or_recorded_metrics(api) -> None:
    api.get("/api/v2/meta")
    make_job(status="dead")
    make_delivery()
    exported = set(re.findall(r"^# TYPE (\S+)", exposition(), re.MULTILINE)) | BUILT_IN
    exported |= {f"{name}_bucket" for name in exported}
    exported |= set(re.findall(r"record: (\S+)", (DEPLOY / "prometheus" / "rules.yml").read_text()))
    # Neither the in-memory test database nor PostgreSQL has this metric.
    exported.add("renderowl_database_wal_bytes")
    for panel, expression, _ in targets():
        used = set(METRIC.findall(expression))
        assert used, panel
        assert used <= exported, panel


def test_legends_name_labels_that_the_query_keeps() -> None:
    for panel, expression, legend in targets():
        for label in re.findall(r"\{\{(\w+)\}\}", legend):
            labels = {name.strip() for names in re.findall(r"by \(([^)]*)\)", expression) for name in names.split(",")}
            assert label in labels, panel


def test_provisioning_paths_and_data_source_match_compose() -> None:
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
