"""`manage.py render_edit`: render an edit to a file, without server or database."""

from __future__ import annotations

import json
import signal
import sys
import time
from argparse import ArgumentTypeError
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from core.progress_bar import ProgressBar
from engine.errors import EditInvalid, EngineError
from engine.issues import Issue
from engine.run import FFmpegProgress
from renders.fetching import FetchOptions
from renders.offline import elapsed_since, render_offline

REFUSED, FAILED = 1, 2
MAX_EDIT_BYTES = 8 * 1024 * 1024


class Command(BaseCommand):
    """Render an edit offline."""

    help = (
        "Render EDIT.json to a file without server or database. Exit status: 0 rendered, 1 edit refused "
        "(with JSON pointers), 2 any other failure."
    )
    # Both would query the database, which this command does not need.
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("edit", type=Path, metavar="EDIT.json", help="the edit; '-' reads standard input")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the file to write")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
        parser.add_argument(
            "--merge",
            action="append",
            type=parse_merge,
            default=[],
            metavar="KEY=VALUE",
            help="the value of a placeholder; may be repeated",
        )

    def handle(self, **options: Any) -> None:
        """Render, print the result, and exit with its status."""
        handler = signal.signal(signal.SIGTERM, _interrupt)
        started_at = time.monotonic()
        progress_bar = ProgressBar(sys.stderr, "frames")

        def show(progress: FFmpegProgress) -> None:
            eta = "" if progress.eta_s is None else f" {progress.eta_s:.0f} s left"
            progress_bar.show(progress.frame, progress.total_frames, eta)

        try:
            if options["output"].is_dir():
                self._fail(f"{options['output']} is a directory; give the path of a file")
            render = render_offline(
                self._read(options["edit"]),
                out=options["output"].absolute(),
                merge=dict(options["merge"]),
                strict=options["strict"],
                options=FetchOptions(
                    settings.RENDEROWL_FETCH_ALLOW_HOSTS,
                    settings.RENDEROWL_UPLOAD_LIMIT_BYTES,
                    settings.RENDEROWL_FETCH_TIMEOUT_S,
                ),
                on_progress=show,
            )
        except EditInvalid as refusal:
            self._refuse(refusal, as_json=options["json"])
        except EngineError as error:
            self._fail(f"{error.code}: {error}")
        except OSError as error:
            self._fail(f"{error.strerror or error}: {error.filename or options['output']}")
        except KeyboardInterrupt:
            self._fail("stopped")
        except Exception as error:
            if options["traceback"]:
                raise
            self._fail(f"internal error: {type(error).__name__}: {error}")
        finally:
            progress_bar.close()
            signal.signal(signal.SIGTERM, handler)
        warnings = [_as_json(issue) for issue in render.warnings]
        notes = [_as_json(issue) for issue in render.notes]
        outcome = {
            "output": str(render.output),
            "duration_s": render.duration_s,
            "width": render.width,
            "height": render.height,
            "warnings": warnings,
            "notes": notes,
            "took_s": elapsed_since(started_at),
        }
        for kind, issues in (("warning", warnings), ("note", notes)):
            for issue in issues:
                self.stderr.write(f"{kind} {issue['pointer']}: {issue['detail']}")
        size = f"{render.width}x{render.height}, " if render.width else ""
        text = f"{render.output}: {size}{render.duration_s:.2f} s, took {outcome['took_s']:.2f} s"
        self.stdout.write(json.dumps(outcome) if options["json"] else text)

    def _read(self, path: Path) -> object:
        try:
            raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
            if len(raw) > MAX_EDIT_BYTES:
                self._fail(f"{path} is larger than {MAX_EDIT_BYTES} bytes")
            found: object = json.loads(raw)
        except (ValueError, RecursionError) as error:
            self._fail(f"{path} is not JSON: {error}")
        return found

    def _refuse(self, refusal: EditInvalid, *, as_json: bool) -> NoReturn:
        for issue in refusal.issues:
            self.stderr.write(f"{issue.pointer or '/'}: {issue.detail} ({issue.code})")
        if as_json:
            self.stdout.write(json.dumps({"errors": [_as_json(issue) for issue in refusal.issues]}))
        sys.exit(REFUSED)

    def _fail(self, message: str) -> NoReturn:
        self.stderr.write(" ".join(message.split()))
        sys.exit(FAILED)


def parse_merge(text: str) -> tuple[str, str]:
    """Split `KEY=VALUE`. Raises ArgumentTypeError, as argparse expects."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return name, value


def _as_json(issue: Issue) -> dict[str, str]:
    return {"pointer": issue.pointer, "code": issue.code, "detail": issue.detail}


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
