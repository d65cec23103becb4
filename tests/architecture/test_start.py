"""Modules loaded at startup, which takes most of the time of a command."""

import os
import subprocess
import sys
from pathlib import Path

# Stubbed, as django-health-check imports clients for checks that we do not use: docs/decisions/0027.
PROGRAM = """
import sys
import types
checks = sys.modules["health_check.checks"] = types.ModuleType("health_check.checks")
checks.Cache = checks.DNS = checks.Database = checks.Mail = checks.Storage = None
import django
django.setup()
import jobs.management.commands.run_worker
print(sorted({"redis", "dns", "opentelemetry.sdk", "playwright", "locust"} & set(sys.modules)))
"""


def test_a_worker_does_not_load_optional_libraries(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "DJANGO_SETTINGS_MODULE": "renderowl.settings",
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
