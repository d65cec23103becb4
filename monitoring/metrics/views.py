"""`/metrics` and `/internal/scaling/<queue>`."""

from __future__ import annotations

import hmac
import ipaddress
import os
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.authentication import STAFF_AUTHENTICATION, bearer_text
from api.endpoints import Endpoint
from api.problems import challenge, problem_response
from api.views import ApiView
from core.exceptions import InvalidParameter, NotFound
from monitoring.metrics.collector import RenderowlCollector
from monitoring.metrics.queues import ratio, read_queues

METHODS = frozenset({"GET", "HEAD"})
_own = CollectorRegistry()
_own.register(RenderowlCollector())


@csrf_exempt  # nothing is changed here
def metrics(request: HttpRequest) -> HttpResponse:
    """Give all metrics of this installation, over all processes of this server."""
    if request.method not in METHODS:
        refusal = problem_response("method_not_allowed")
        refusal["Allow"] = ", ".join(sorted(METHODS))
        return refusal
    if not may_scrape(request):
        return problem_response("unauthenticated", "Metrics are for METRICS_TOKEN, or for this machine without one.")
    body = generate_latest(_of_processes()) + generate_latest(_own)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _of_processes() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    # The files that all processes write to; see renderowl/serve.py.
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def may_scrape(request: HttpRequest) -> bool:
    """Say whether a request may see the metrics: by the token where there is one, else from this machine itself."""
    if settings.RENDEROWL_METRICS_TOKEN:
        return shows_metrics_token(request)
    # What came through a proxy on this machine came from elsewhere.
    if "Forwarded" in request.headers or "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(str(request.META.get("REMOTE_ADDR", ""))).is_loopback
    except ValueError:
        return False


def shows_metrics_token(request: HttpRequest | Request) -> bool:
    """Say whether the bearer token is the one of the metrics."""
    wanted: str = settings.RENDEROWL_METRICS_TOKEN
    shown = bearer_text(request.META)
    return bool(wanted and shown) and hmac.compare_digest((shown or "").encode(), wanted.encode())


@dataclass(frozen=True, slots=True)
class MetricsCredential:
    """What `METRICS_TOKEN` proves."""

    kind: Literal["metrics"] = "metrics"
    scopes: frozenset[str] = frozenset({"admin:*"})


class Scraper:
    """Who shows `METRICS_TOKEN`: nobody in particular, and no member of staff."""

    is_authenticated = True
    is_anonymous = False
    is_staff = False
    pk = None


class MetricsTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <METRICS_TOKEN>`, for scalers, which have no API key."""

    def authenticate(self, request: Request) -> tuple[Scraper, MetricsCredential] | None:
        """Return who asks; None for any other bearer."""
        return (Scraper(), MetricsCredential()) if shows_metrics_token(request) else None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return challenge("unauthenticated")


class ScalingView(ApiView):
    """The numbers that decide how many workers a queue needs."""

    authentication_classes = (MetricsTokenAuthentication, *STAFF_AUTHENTICATION)
    endpoints: ClassVar = {
        "get": Endpoint("admin:*"),
    }

    def get_throttles(self) -> list[BaseThrottle]:
        """Let scalers ask as often as they are set to: they hold no account that a limit could stand against."""
        return [] if isinstance(self.request.auth, MetricsCredential) else super().get_throttles()

    def get(self, request: Request, queue: str) -> Response:
        """Return the numbers of one queue, flat."""
        for name in request.query_params:
            raise InvalidParameter(name, f"{name} is not a parameter of this path.")
        found = read_queues(timezone.now())
        snapshot = found.of(queue)
        if snapshot is None:
            raise NotFound
        return Response({**asdict(snapshot), "busy_ratio": ratio(snapshot.busy_slots, snapshot.slots)})
