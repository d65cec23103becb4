"""Deprecations from the environment appear in headers; counts of deprecated calls survive the server's stop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation
from tests.api.header_parsers import read_deprecation, read_links, read_sunset

CALLS = 200


@pytest.mark.acceptance
def test_the_environment_ends_a_version_and_a_stopping_server_writes_its_counts(tmp_path: Path) -> None:
    # Without a stop the server would write its counts in an hour.
    installation = Installation(
        tmp_path, API_DEPRECATIONS="v1=2026-01-01/2090-12-31", DEPRECATED_CALLS_FLUSH_S="3600", LOG_LEVEL="WARNING"
    )
    installation.start_server()
    try:
        _check_headers(installation)

        def work(number: int) -> int:
            path = "keys" if number % 4 else "projects"
            return installation.session.get(f"{installation.base}/api/v1/{path}", timeout=60).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(work, range(CALLS))) == {200}
        counted = "SELECT route, calls FROM accounts_deprecatedcall"
        assert installation.query(counted) == []
    finally:
        installation.stop()
    assert dict(installation.query(counted)) == {"me": 1, "key-list": CALLS * 3 // 4, "project-list": CALLS // 4}


def _check_headers(installation: Installation) -> None:
    assert "Deprecation" not in installation.session.get(f"{installation.base}/api/v2/me", timeout=60).headers
    response = installation.session.get(f"{installation.base}/api/v1/me", timeout=60)
    assert read_deprecation(response.headers["Deprecation"]).isoformat() == "2026-01-01T00:00:00+00:00"
    assert read_sunset(response.headers["Sunset"]).isoformat() == "2090-12-31T23:59:59+00:00"
    links = read_links(response.headers["Link"])
    assert set(links) == {"deprecation", "sunset", "successor-version"}
    for relation, (target, _) in links.items():
        assert installation.session.get(f"{installation.base}{target}", timeout=60).status_code == 200, relation
