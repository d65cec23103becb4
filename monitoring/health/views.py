"""Views of `/live`, `/ready`, `/health` and `/health/<check>`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import orjson
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from health_check.views import HealthCheckView

from accounts.authentication import ApiKeyAuthentication
from api.authentication import authenticate
from api.permissions import has_scope
from api.problems import problem_response
from core.times import format_time
from monitoring.health.base import Check, CheckResult, HealthStatus
from monitoring.health.database import DatabaseCheck, MigrationsCheck
from monitoring.health.machine import CacheCheck, DiskCheck, FfmpegCheck, MemoryCheck, StorageCheck
from monitoring.health.nightly_jobs import NightlyJobsCheck
from monitoring.health.queue import QueueCheck
from monitoring.health.runner import CachedCheck, CheckRunner
from monitoring.health.shutdown import ShutdownCheck

CONTENT_TYPE = "application/health+json"


class ProbeView(HealthCheckView):
    """Base view of probes: runs `get_checks` and answers with health+json, whatever the client accepts."""

    http_method_names = ("get", "head")
    checks: ClassVar[tuple[type[Check], ...]] = ()
    shows_details: ClassVar[bool] = False

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Set the headers of a response of one content type, and its length, as probes bypass most middleware."""
        response: HttpResponseBase = await super().dispatch(request, *args, **kwargs)
        del response["Vary"], response["Expires"]
        response["Cache-Control"] = "no-store"
        if isinstance(response, HttpResponse):
            response["Content-Length"] = str(len(response.content))
        return response

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Run the checks concurrently and return their results."""
        self.results: list[CheckResult] = await asyncio.gather(*(check.get_result() for check in self.get_checks()))
        with_details = self.shows_details and await sync_to_async(may_see_details)(request)
        status = overall(self.results)
        body: dict[str, Any] = {"status": status.label}
        if self.results:
            body["checks"] = _check_members(self.results, with_details=with_details)
        code = 503 if status is HealthStatus.FAIL else 200
        response = HttpResponse(orjson.dumps(body), status=code, content_type=CONTENT_TYPE)
        # The runner logs changes of status; Django would log every failed probe.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
        return response

    async def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer with a problem document."""
        response = problem_response("method_not_allowed")
        response["Allow"] = "GET, HEAD"
        return response


class LiveView(ProbeView):
    """Liveness probe: 200 while the process serves, without disk or database access."""


class ReadyView(ProbeView):
    """Readiness probe: 200 if requests can be routed here, else 503."""

    def get_checks(self) -> list[CachedCheck]:
        """Return the critical checks."""
        return runner.checks(runner.critical)


class HealthView(ProbeView):
    """All checks, or the one named in the path."""

    shows_details = True
    checks = (
        DatabaseCheck,
        MigrationsCheck,
        ShutdownCheck,
        MemoryCheck,
        DiskCheck,
        QueueCheck,
        CacheCheck,
        StorageCheck,
        FfmpegCheck,
        NightlyJobsCheck,
    )

    def get_checks(self) -> list[CachedCheck]:
        """Return the cached checks of this process."""
        return runner.checks([self.kwargs["check"]] if "check" in self.kwargs else runner.names)

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the checks, or 404 for an unknown name."""
        if kwargs.get("check", runner.names[0]) not in runner.names:
            return problem_response("not_found", "No such health check.", checks=runner.names)
        return await super().get(request, *args, **kwargs)


runner = CheckRunner([check() for check in HealthView.checks])
# Without CSRF protection, whose refusals are HTML: probes get problem documents.
live, ready, health = (csrf_exempt(view.as_view()) for view in (LiveView, ReadyView, HealthView))


def overall(results: Iterable[CheckResult]) -> HealthStatus:
    """Return the overall status; checks that are not critical count as a warning at most."""
    return max((min(result.status, _worst_of(result)) for result in results), default=HealthStatus.PASS)


def _worst_of(result: CheckResult) -> HealthStatus:
    return HealthStatus.FAIL if result.check.critical else HealthStatus.WARN


def _check_members(results: Iterable[CheckResult], *, with_details: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the checks in the format of draft-inadarei-api-health-check-06, section 4."""
    members: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        for found in result.observations:
            member: dict[str, Any] = {
                "status": found.status.label,
                "critical": result.check.critical,
                "observedValue": found.value,
                "observedUnit": found.unit,
                "time": format_time(result.at),
            }
            if with_details and found.detail:
                member["output"] = found.detail
            members[f"{result.check.name}:{found.name}"] = [member]
    return members


def may_see_details(request: HttpRequest) -> bool:
    """Return whether the request is from staff. Invalid credentials are not refused: it is still a probe."""
    try:
        authenticated = authenticate(request, (ApiKeyAuthentication,))
        if authenticated is not None:
            return has_scope(authenticated, "admin:*")
        user = get_user(request) if hasattr(request, "session") else None
        return bool(user is not None and user.is_active and getattr(user, "is_staff", False))
    except DatabaseError:
        return False
