"""The production settings of docs/operations.md, used literally, boot and pass every check."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import pytest

from tests.commands import ROOT, run_manage
from tests.required_services import require

pytestmark = pytest.mark.acceptance
# The example's paths do not exist on this machine.
MOVED = ("SECRET_KEY_FILE", "DATA_DIR", "STORAGE_URL", "DATABASE_URL")


def documented() -> dict[str, str]:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    block = re.search(r"```ini\n(.*?)```", page, re.DOTALL)
    assert block is not None
    return dict(line.split("=", 1) for line in block[1].splitlines() if line)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The documented lines, with folders of this test, without the suite's own settings."""
    named = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in named}
    (tmp_path / "key").write_text(secrets.token_urlsafe(64))
    moved = {
        "SECRET_KEY_FILE": str(tmp_path / "key"),
        "DATA_DIR": str(tmp_path / "data"),
        "STORAGE_URL": f"file://{tmp_path}/media",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
    }
    lines = documented()
    assert set(MOVED) <= set(lines)
    return {**kept, **lines, **moved}


def test_every_documented_line_is_a_setting() -> None:
    named = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name.removesuffix("_FILE") for name in documented()} <= named


def test_the_documented_settings_pass_the_deployment_check(environment: dict[str, str]) -> None:
    require((ROOT / ".env").exists() is False, "a checkout without a .env of its own")
    done = run_manage(environment, "check", "--deploy", "--fail-level", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_they_serve_a_request_by_tls_and_redirect_plain_http_to_it(environment: dict[str, str]) -> None:
    script = (
        "from django.test import Client; c = Client(headers={'host': 'render.example.com'})\n"
        "plain = c.get('/api/v2/meta'); print(plain.status_code, plain['Location'])\n"
        "r = c.get('/api/v2/meta', headers={'X-Forwarded-Proto': 'https'})\n"
        "print(r.status_code, r['Strict-Transport-Security'])\n"
        "r = c.get('/admin/login/', headers={'X-Forwarded-Proto': 'https'})\n"
        "print(r.status_code, bool(r.cookies['csrftoken']['secure']))\n"
        "print(c.get('/api/v2/meta', headers={'X-Forwarded-Proto': 'https', 'host': 'evil.example'}).status_code)\n"
    )
    assert run_manage(environment, "migrate", "--noinput").returncode == 0
    done = run_manage(environment, "shell", "--no-imports", "-c", script)
    assert done.stdout.splitlines() == [
        "301 https://render.example.com/api/v2/meta",
        "200 max-age=31536000; includeSubDomains; preload",
        "200 True",
        "400",
    ], done.stderr


@pytest.mark.parametrize("lines", [{}, {"SECRET_KEY": ""}])
def test_without_a_secret_nothing_boots(environment: dict[str, str], lines: dict[str, str]) -> None:
    environment.pop("SECRET_KEY_FILE")
    done = run_manage({**environment, **lines}, "check")
    assert done.returncode != 0
    assert "SECRET_KEY (or SECRET_KEY_FILE) must be set" in done.stderr


def test_a_missing_secret_file_says_which(environment: dict[str, str]) -> None:
    Path(environment["SECRET_KEY_FILE"]).unlink()
    done = run_manage(environment, "check")
    assert done.returncode != 0
    assert "SECRET_KEY_FILE cannot be read" in done.stderr


def test_limits_hold_on_a_laptop_that_sets_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    plain = {name: value for name, value in environment.items() if name not in documented()}
    plain |= {"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": environment["DATABASE_URL"]}
    script = (
        "import json; from django.conf import settings; from django.core.management import call_command\n"
        "from django.test import Client; from accounts.services import create_api_key, create_user\n"
        "minted = create_api_key(user=create_user(username='zoe'), scopes=['*'])\n"
        "c = Client(headers={'host': 'localhost', 'X-API-Key': minted.plaintext})\n"
        # More than the burst of 30, as two units a second are refilled meanwhile.
        "print(settings.DEBUG, 429 in [c.get('/api/v2/me').status_code for _ in range(60)])\n"
    )
    assert run_manage(plain, "migrate", "--noinput").returncode == 0
    done = run_manage(plain, "shell", "--no-imports", "-c", script)
    assert done.stdout.splitlines()[-1] == "True True", done.stdout + done.stderr
