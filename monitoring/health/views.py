"""`/live`, `/ready`, `/health` and `/health/<check>`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from django.contrib.auth import get_user
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.authentication import ApiKeyAuthentication
from core.api.authentication import authenticate
from core.api.permissions import has_scope
from core.api.problems import problem_response
from core.api.renderers import format_time
from monitoring.health.base import Outcome, Status
from monitoring.health.database import DatabaseCheck, MigrationsCheck
from monitoring.health.machine import CacheCheck, DiskCheck, FfmpegCheck, MemoryCheck, StorageCheck
from monitoring.health.queue import QueueCheck
from monitoring.health.runner import Runner
from monitoring.health.shutdown import ShutdownCheck
from monitoring.health.upkeep import UpkeepCheck

CONTENT_TYPE = "application/health+json"
METHODS = frozenset({"GET", "HEAD"})
_ALIVE = b'{"status":"pass"}'
runner = Runner(
    [
        DatabaseCheck(),
        MigrationsCheck(),
        ShutdownCheck(),
        MemoryCheck(),
        DiskCheck(),
        QueueCheck(),
        CacheCheck(),
        StorageCheck(),
        FfmpegCheck(),
        UpkeepCheck(),
    ]
)


@csrf_exempt  # nothing is changed here, and machines get problems, no pages
def live(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process serves; touches neither disk nor database."""
    return HttpResponse(_ALIVE, content_type=CONTENT_TYPE, headers={"Content-Length": str(len(_ALIVE))})


@csrf_exempt
def ready(request: HttpRequest) -> HttpResponse:
    """Say whether requests should be sent here: 200 or 503."""
    return _answer(request, runner.critical)


@csrf_exempt
def health(request: HttpRequest) -> HttpResponse:
    """Show all checks."""
    return _answer(request, runner.names, with_details=may_see_details(request))


@csrf_exempt
def health_of(request: HttpRequest, check: str) -> HttpResponse:
    """Show one check."""
    if check not in runner.names:
        return problem_response("not_found", "There is no such check.", checks=runner.names)
    return _answer(request, [check], with_details=may_see_details(request))


def _answer(request: HttpRequest, names: Iterable[str], *, with_details: bool = False) -> HttpResponse:
    if request.method not in METHODS:
        refusal = problem_response("method_not_allowed")
        refusal["Allow"] = ", ".join(sorted(METHODS))
        return refusal
    outcomes = runner.outcomes(names)
    status = overall(outcomes)
    body = {"status": status.word, "checks": _shapes(outcomes, with_details=with_details)}
    code = 503 if status is Status.FAIL else 200
    response = HttpResponse(orjson.dumps(body), status=code, content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    # The runner has told of it once; Django would for each probe.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    response["Content-Length"] = str(len(response.content))
    return response


def overall(outcomes: Iterable[Outcome]) -> Status:
    """Return the state of the whole: what is not critical cannot do worse than a warning."""
    return max((min(found.status, _worst_of(found)) for found in outcomes), default=Status.PASS)


def _worst_of(outcome: Outcome) -> Status:
    return Status.FAIL if outcome.check.critical else Status.WARN


def _shapes(outcomes: Iterable[Outcome], *, with_details: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the checks in the shape of draft-inadarei-api-health-check-06, section 4."""
    shapes: dict[str, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        for seen in outcome.observations:
            shape: dict[str, Any] = {
                "status": seen.status.word,
                "critical": outcome.check.critical,
                "observedValue": seen.value,
                "observedUnit": seen.unit,
                "time": format_time(outcome.at),
            }
            if with_details and seen.detail:
                shape["output"] = seen.detail
            shapes[f"{outcome.check.name}:{seen.name}"] = [shape]
    return shapes


def may_see_details(request: HttpRequest) -> bool:
    """Say whether the request comes from staff. It is never refused: a probe with an old key is still a probe."""
    try:
        authenticated = authenticate(request, (ApiKeyAuthentication,))
        if authenticated is not None:
            return has_scope(authenticated, "admin:*")
        user = get_user(request) if hasattr(request, "session") else None
        return bool(user is not None and user.is_active and getattr(user, "is_staff", False))
    except DatabaseError:
        return False
