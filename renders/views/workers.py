"""Views of external workers: claims with an API key, uploads to signed links, signed reports."""

from __future__ import annotations

from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import status
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.authentication import Credential
from accounts.limits import INTERNAL_CALL
from api.endpoints import ANY_SCOPE, Endpoint
from api.problems import problem_response
from api.views import ApiView
from core.exceptions import DomainError, PayloadTooLarge
from core.times import format_time
from renders.external.claiming import WorkerIdentity, claim_render, find_pool
from renders.external.job_spec import build_job_spec
from renders.external.messages import verify_message
from renders.external.reports import ReportResult, ReportStatus, WorkerReport, process_report
from renders.external.uploads import open_upload, receive_upload
from renders.serializers.workers import WorkerClaimSerializer, WorkerReportSerializer

MAX_REPORT_BYTES = 64 * 1024
# Renders whose edits can no longer be rendered, failed and skipped by one claim.
MAX_SKIPPED_CLAIMS = 5


class WorkerClaimView(ApiView):
    """Claims of external workers."""

    endpoints: ClassVar = {
        "post": Endpoint("workers:report", operation=INTERNAL_CALL),
    }

    def post(self, request: Request) -> Response:
        """Return 200 with the job spec of the next render, or 204 if none is waiting."""
        serializer = WorkerClaimSerializer(data=request.data or {})
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        assert isinstance(request.auth, Credential)
        worker = WorkerIdentity(body.get("name", "worker"), find_pool(body.get("pool")), request.auth.key)
        for _ in range(MAX_SKIPPED_CLAIMS):
            claim = claim_render(worker=worker, queues=body.get("queues"))
            if claim is None:
                break
            if (job_spec := build_job_spec(claim=claim, request=request)) is not None:
                return Response(job_spec, headers={"Cache-Control": "no-store"})
        return Response(status=status.HTTP_204_NO_CONTENT)


class WorkerReportView(ApiView):
    """Reports of external workers, authenticated by their signature.

    Checked in this order: size, headers, time, signature, JSON, members, render, attempt. So a sender without a secret
    learns nothing but the size limit.
    """

    authentication_classes = ()
    permission_classes = ()
    # Many workers may share an address, and a forged message costs only one hash.
    throttle_classes: tuple[type[BaseThrottle], ...] = ()
    endpoints: ClassVar = {
        "post": Endpoint(ANY_SCOPE),
    }

    def post(self, request: Request) -> Response:
        """Process a report."""
        message = verify_message(request.headers, _read_body(request))
        fields = _read_fields(message.body)
        report = WorkerReport(
            fields.pop("render"), fields.pop("lease_token"), ReportStatus(fields.pop("status")), **fields
        )
        return Response(_describe(process_report(message=message, report=report)))


def _read_body(request: Request) -> bytes:
    """Return the raw body. Raises PayloadTooLarge, without reading it if Content-Length is too large."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) <= MAX_REPORT_BYTES:
        # From the stream: the signature covers the raw body, whatever its content type.
        body: bytes = request.stream.read(MAX_REPORT_BYTES + 1) if request.stream is not None else b""
        if len(body) <= MAX_REPORT_BYTES:
            return body
    raise PayloadTooLarge(limit_bytes=MAX_REPORT_BYTES)


def _read_fields(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error}.") from error
    serializer = WorkerReportSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _describe(result: ReportResult) -> dict[str, Any]:
    if result.duplicate:
        return {"duplicate": True}
    return {
        "duplicate": False,
        "ignored": result.ignored,
        "cancel": result.cancel,
        "status": result.status,
        "lease_expires_at": format_time(result.lease_expires_at),
    }


@csrf_exempt
def receive_file(request: HttpRequest, token: str, name: str) -> HttpResponse:
    """Receive a file at a signed upload link, which is the only credential."""
    if request.method != "PUT":
        response = problem_response("method_not_allowed")
        response["Allow"] = "PUT"
        return response
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdigit():
        return problem_response("length_required")
    try:
        facts = receive_upload(upload=open_upload(token), body=request, length=int(length))
    except DomainError as error:
        return problem_response(error.code, error.detail, error.status, **error.members)
    shown = ("content_type", "width", "height", "duration_s", "size_bytes", "sha256")
    return JsonResponse({"object": "upload", **{member: facts.get(member) for member in shown}})
