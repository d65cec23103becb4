"""Invalid settings stop a command with one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.commands import run_manage


@pytest.mark.acceptance
@pytest.mark.parametrize(
    "wrong",
    [
        {"DATABASE_URL": "mysql://user:secret@host/name"},
        {"STORAGE_URL": "nowhere"},
        {"UPLOAD_LIMIT_BYTES": "much"},
        {"DEBUG": "0", "SECRET_KEY": ""},
    ],
)
def test_command_names_the_invalid_setting_in_one_line(tmp_path: Path, wrong: dict[str, str]) -> None:
    env = {**os.environ, "DATA_DIR": str(tmp_path), **wrong}
    done = run_manage(env, "check")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert any(name in line for name in wrong)
    assert "secret@" not in line
