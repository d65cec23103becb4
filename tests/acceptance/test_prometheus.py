"""A real Prometheus scrapes a real server of two processes; an alert fires and is resolved."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.installation import Installation
from tests.factories import make_edit
from tests.required_services import require

pytestmark = [pytest.mark.acceptance]
CONFIGURATION = """
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: renderowl
    authorization: {{credentials: a-token}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
RULES = """
groups:
  - name: test
    rules:
      - {alert: JobsWait, expr: sum(renderowl_queue_ready) > 0}
"""


class Watched:
    """An installation and its Prometheus."""

    def __init__(self, folder: Path, program: str) -> None:
        self.installation = Installation(folder, METRICS_TOKEN="a-token")
        installation = self.installation
        command = ["-m", "renderowl.serve", "--port", str(installation.port), "--workers", "2", "--linger", "0"]
        installation.start(sys.executable, *command, log="server")
        installation.wait(installation.serves, seconds=60)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.base = f"http://127.0.0.1:{probe.getsockname()[1]}"
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(port=installation.port))
        (folder / "rules.yml").write_text(RULES)
        installation.start(
            *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"),
            f"--web.listen-address={self.base.removeprefix('http://')}",
            log="prometheus",
        )

    def ask(self, query: str) -> list[dict[str, Any]]:
        try:
            answer = requests.get(f"{self.base}/api/v1/query", params={"query": query}, timeout=5)
        except requests.ConnectionError:
            return []
        return answer.json()["data"]["result"] if answer.ok else []

    def until(self, query: str, value: float) -> None:
        self.installation.wait(lambda: [float(found["value"][1]) for found in self.ask(query)] == [value], seconds=20)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    program = shutil.which("prometheus")
    require(available=program is not None, what="Prometheus")
    found = Watched(tmp_path, str(program))
    try:
        yield found
    finally:
        found.installation.stop()


def test_is_scraped_and_alerts(watched: Watched) -> None:
    installation = watched.installation
    assert requests.get(f"{installation.base}/metrics", timeout=10).status_code == 401
    watched.until("up", 1)
    # Requests count whichever process answers.
    for _ in range(20):
        requests.get(f"{installation.base}/api/v2/meta", timeout=5)
    watched.until('sum(django_http_responses_total_by_status_view_method_total{view="v2:meta",status="200"})', 20)
    render = installation.submit(make_edit())
    watched.until('count(ALERTS{alertname="JobsWait",alertstate="firing"}) or vector(0)', 1)
    installation.call("POST", f"/api/v2/renders/{render['id']}/cancel", 200)
    watched.until('count(ALERTS{alertname="JobsWait",alertstate="firing"}) or vector(0)', 0)
