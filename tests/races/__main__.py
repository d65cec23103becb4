"""Run one scenario on the database of DATABASE_URL."""

from __future__ import annotations

import json
import os
import sys

from tests.races import run


def main(name: str) -> None:
    """Print the outcome of a scenario as JSON."""
    from core.sqlite import install_newer_sqlite

    install_newer_sqlite()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    os.environ["RATE_LIMITS"] = "0"
    import django

    django.setup()
    print(json.dumps(run(name)))


if __name__ == "__main__":
    main(sys.argv[1])
