"""Send the query of every dashboard panel to a real Prometheus that scrapes a working server.

    python bench/dashboards.py [--seconds N]

An installation of its own: server, worker, Prometheus with the rules of deploy/prometheus, renders, deliveries.
Grafana is not needed: it would send Prometheus the same queries. Exit status 1 where a query fails or gives no
series.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
BOARDS = ROOT / "deploy" / "grafana" / "dashboards"
# Short, so that a minute is enough for rates.
CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: renderowl
    authorization: {{credentials: a-token}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
RENDER_EVERY_S = 20
# Rows that the panels need, made by the tests' factories in a process of its own.
ROWS = """
import django
django.setup()
from tests.factories import make_delivery, make_job
for status in ("succeeded", "failed", "pending"):
    make_delivery(status=status)
make_job(type="notifications.deliver", status="succeeded")
"""


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def panels() -> list[tuple[str, str]]:
    """Return the name of each panel with each of its queries."""
    found = []
    for path in sorted(BOARDS.glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            name = f"{board['uid']} / {panel['title']}"
            found += [(name, target["expr"].replace("$__rate_interval", "1m")) for target in panel["targets"]]
    return found


def ask(base: str, query: str) -> list[dict[str, Any]]:
    """Return the current series of a query.

    Raises HTTPError where Prometheus refuses it.
    """
    answer = requests.get(f"{base}/api/v1/query", params={"query": query}, timeout=10)
    answer.raise_for_status()
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


def work(installation: Any, seconds: float) -> None:
    """Send requests and submit renders for a while."""
    from tests.factories import make_edit

    until = time.monotonic() + seconds
    render_at = 0.0
    while time.monotonic() < until:
        # Repeatedly: rates need increases after the first scrape.
        if time.monotonic() >= render_at:
            installation.submit(make_edit())
            render_at = time.monotonic() + RENDER_EVERY_S
        for path in ("/api/v2/renders", "/api/v2/me", "/live", "/api/v2/nothing"):
            installation.session.get(f"{installation.base}{path}", timeout=10)
        time.sleep(0.2)


def report(base: str) -> int:
    """Print what each panel would show; return how many would be empty."""
    empty = 0
    for name, query in panels():
        series = ask(base, query)
        values = ", ".join(f"{float(found['value'][1]):.4g}" for found in series[:4])
        print(f"{name:62} {len(series):3} series  {values}")
        empty += not series
    return empty


def main() -> int:
    """Run; exit 1 where a panel stays empty."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    # The cache's hit ratio is sampled each minute, for the last complete minute.
    parser.add_argument("--seconds", type=float, default=200, help="of work before the queries")
    options = parser.parse_args()
    program = shutil.which("prometheus")
    if program is None:
        print("prometheus is not on this machine", file=sys.stderr)
        return 1
    os.environ["DJANGO_SETTINGS_MODULE"] = "renderowl.settings"
    import django

    django.setup()
    from tests.acceptance.installation import Installation

    with tempfile.TemporaryDirectory(prefix="renderowl-bench-") as name:
        folder = Path(name)
        installation = Installation(folder, METRICS_TOKEN="a-token", RESPONSE_CACHE="1")
        try:
            installation.start(
                *(sys.executable, "-m", "renderowl.serve", "--port", str(installation.port), "--linger", "0"),
                log="server",
            )
            installation.wait(installation.serves, seconds=120)
            installation.start_worker()
            assert installation.start(sys.executable, "-c", ROWS, log="rows").wait(timeout=120) == 0
            rules = ROOT / "deploy" / "prometheus" / "rules.yml"
            text = CONFIGURATION.format(port=installation.port, rules=rules)
            (folder / "prometheus.yml").write_text(text)
            address = f"127.0.0.1:{free_port()}"
            installation.start(
                *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"),
                f"--web.listen-address={address}",
                log="prometheus",
            )
            work(installation, options.seconds)
            empty = report(f"http://{address}")
        finally:
            installation.stop()
    print(f"{empty} queries without a series")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
