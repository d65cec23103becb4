"""Views of `/metrics` and `/internal/scaling/<queue>`."""

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
_installation = CollectorRegistry()
_installation.register(RenderowlCollector())


@csrf_exempt  # answers other methods with 405 instead of a CSRF failure
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of this server's processes and of the whole installation."""
    if request.method not in METHODS:
        response = problem_response("method_not_allowed")
        response["Allow"] = ", ".join(sorted(METHODS))
        return response
    if not may_scrape(request):
        return problem_response("unauthenticated", "Metrics need METRICS_TOKEN or, if it is not set, a local request.")
    body = generate_latest(_process_registry()) + generate_latest(_installation)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _process_registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    # Reads the files that all processes write to; see renderowl/serve.py.
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def may_scrape(request: HttpRequest) -> bool:
    """Return whether a request may read metrics: by the token if one is set, else from the loopback address."""
    if settings.RENDEROWL_METRICS_TOKEN:
        return has_metrics_token(request)
    # Forwarded by a proxy on this machine, so not from this machine.
    if "Forwarded" in request.headers or "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(str(request.META.get("REMOTE_ADDR", ""))).is_loopback
    except ValueError:
        return False


def has_metrics_token(request: HttpRequest | Request) -> bool:
    """Return whether the bearer token is METRICS_TOKEN."""
    expected: str = settings.RENDEROWL_METRICS_TOKEN
    token = bearer_text(request.META)
    return bool(expected and token) and hmac.compare_digest((token or "").encode(), expected.encode())


@dataclass(frozen=True, slots=True)
class MetricsCredential:
    """The credential of a request that sent `METRICS_TOKEN`."""

    kind: Literal["metrics"] = "metrics"
    scopes: frozenset[str] = frozenset({"admin:*"})


class Scraper:
    """The user of a request that sent `METRICS_TOKEN`: no account, and not staff."""

    is_authenticated = True
    is_anonymous = False
    is_staff = False
    pk = None


class MetricsTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <METRICS_TOKEN>`, for scalers, which have no API key."""

    def authenticate(self, request: Request) -> tuple[Scraper, MetricsCredential] | None:
        """Return the scraper and its credential; None for any other token."""
        return (Scraper(), MetricsCredential()) if has_metrics_token(request) else None

    def authenticate_header(self, request: Request) -> str:
        """Return the WWW-Authenticate header of a 401."""
        return challenge("unauthenticated")


class ScalingView(ApiView):
    """Job and worker counts of a queue, for autoscalers."""

    authentication_classes = (MetricsTokenAuthentication, *STAFF_AUTHENTICATION)
    endpoints: ClassVar = {
        "get": Endpoint("admin:*"),
    }

    def get_throttles(self) -> list[BaseThrottle]:
        """Exempt scalers from rate limits: they have no account to limit."""
        return [] if isinstance(self.request.auth, MetricsCredential) else super().get_throttles()

    def get(self, request: Request, queue: str) -> Response:
        """Return the counts of one queue."""
        for name in request.query_params:
            raise InvalidParameter(name, f"{name} is not a parameter of this path.")
        snapshot = read_queues(timezone.now()).of(queue)
        if snapshot is None:
            raise NotFound
        return Response({**asdict(snapshot), "busy_ratio": ratio(snapshot.busy_slots, snapshot.slots)})
