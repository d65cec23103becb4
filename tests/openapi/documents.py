"""`make openapi`: write or check the stored OpenAPI document of each version.

Without arguments, write the documents to `docs/openapi/`; refuse changes that would break clients.
`--check`: write nothing, only report what is broken or out of date.
`--allow-breaks`: write in spite of breaks, for a version without clients.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the documents. Returns the exit status: 0, or 1 if a document is broken or out of date."""
    parser = argparse.ArgumentParser(prog="python -m tests.openapi.documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--allow-breaks", action="store_true", help="write in spite of breaks")
    options = parser.parse_args(arguments)
    _set_up()

    from django.conf import settings

    from tests.openapi.compatibility import find_breaks

    status = 0
    for version in settings.RENDEROWL_API_VERSIONS:
        path = DIRECTORY / f"v{version}.json"
        document = current_document(version)
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        breaks = find_breaks(stored, document)
        for broken in breaks:
            print(f"{path.name}: {broken}", file=sys.stderr)
        if breaks and not options.allow_breaks:
            status = 1
        elif document == stored:
            print(f"{path.name}: up to date")
        elif options.check:
            print(f"{path.name}: out of date, run `make openapi`", file=sys.stderr)
            status = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(encode(document), encoding="utf-8")
            print(f"{path.name}: written")
    return status


def current_document(version: int) -> dict[str, Any]:
    """Return the document of the code, as read back from JSON, without configured deprecations."""
    from django.test import override_settings

    from api.docs import build_document
    from renderowl.urls import documented_patterns

    with override_settings(RENDEROWL_API_DEPRECATIONS=()):
        document: dict[str, Any] = json.loads(json.dumps(build_document(documented_patterns(version), version)))
    return document


def encode(document: dict[str, Any]) -> str:
    """Return the text of a stored document: one member per line, for readable diffs."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _set_up() -> None:
    from core.sqlite import install_newer_sqlite

    install_newer_sqlite()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    import django

    django.setup()


if __name__ == "__main__":
    sys.exit(main())
