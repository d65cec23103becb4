"""The job spec: everything that an external worker needs to render what it claimed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from assets.models import Asset
from core.absolute_urls import absolute_url, base_url
from core.times import format_time
from engine.errors import EngineError
from engine.language import sources
from files.links import SignedUrlBuilder
from jobs.exceptions import LeaseLost
from jobs.services import complete_external
from renders.execution.failures import describe
from renders.external.claiming import ExternalClaim, lease_s
from renders.external.expected_output import ExpectedOutput, expected_output, set_pointers
from renders.external.uploads import UploadName, upload_target
from renders.models import ExternalLease
from renders.services.outcomes import close_failed
from renders.states import RenderStatus

# Two of three reports may be lost before the lease expires.
REPORTS_PER_LEASE = 3


def build_job_spec(*, claim: ExternalClaim, request: Request) -> dict[str, Any] | None:
    """Return the body of the response to a claim; None, failing the render, if its edit can no longer be rendered.

    request: its host is that of the links.
    """
    try:
        expected = expected_output(claim.render)
    except EngineError as failure:
        _fail(claim, failure)
        return None
    links = SignedUrlBuilder(base_url(request))
    assets = {url: _asset_link(asset, url, links) for url, asset in expected.assets.items()}
    refs = sources(expected.parsed.edit)
    places = {ref.pointer: assets[ref.url]["url"] for ref in refs if ref.url in assets}
    return {
        "object": "render_claim",
        "job": {
            "id": claim.job.public_id,
            "render": claim.render.public_id,
            "attempt": claim.job.attempt,
            "max_attempts": claim.job.max_attempts,
            "timeout_s": claim.job.timeout_s,
            "strict": claim.render.strict,
        },
        "lease_token": claim.token,
        "lease_s": lease_s(),
        "lease_expires_at": format_time(timezone.now() + timedelta(seconds=lease_s())),
        "edit": set_pointers(expected.parsed.data, places),
        "output": _output_spec(expected),
        "assets": list(assets.values()),
        "upload": _upload_targets(claim.lease, expected, request),
        "report": {
            "url": absolute_url(request, reverse("webhooks:render-progress")),
            "every_s": round(lease_s() / REPORTS_PER_LEASE, 1),
        },
    }


def _asset_link(asset: Asset, url: str, links: SignedUrlBuilder) -> dict[str, Any]:
    return {
        "id": asset.public_id,
        "src": url,
        "url": links.url(asset.storage_key, asset.content_type, asset.name, asset.sha256),
        "url_expires_at": links.expires_text,
        "sha256": asset.sha256,
        "size_bytes": asset.size_bytes,
        "content_type": asset.content_type,
    }


def _output_spec(expected: ExpectedOutput) -> dict[str, Any]:
    estimate = expected.estimate
    return {
        "format": expected.format,
        "content_type": expected.content_type,
        "width": estimate.width if expected.has_pictures else None,
        "height": estimate.height if expected.has_pictures else None,
        "fps": estimate.fps,
        # Unknown if it depends on media that only the worker will probe.
        "duration_s": estimate.duration_s if estimate.exact else None,
        "total_frames": estimate.frames if estimate.exact else None,
    }


def _upload_targets(lease: ExternalLease, expected: ExpectedOutput, request: Request) -> dict[str, Any]:
    names = list(UploadName) if expected.has_pictures else [UploadName.OUTPUT]
    targets = {}
    for name in names:
        target = upload_target(lease, name, expected)
        targets[name.value] = {
            "method": "PUT",
            "url": absolute_url(request, target.path),
            "content_type": target.content_type,
            "max_bytes": target.max_bytes,
        }
    return targets


def _fail(claim: ExternalClaim, failure: EngineError) -> None:
    """Fail and refund a render whose edit can no longer be rendered."""
    error = describe(failure, step=RenderStatus.FETCHING, attempt=claim.render.attempt)
    try:
        with transaction.atomic():
            complete_external(job=claim.job, result={"render": claim.render.public_id, "failed": error["code"]})
            close_failed(render_id=claim.render.pk, error=error)
    except LeaseLost:
        # Cancelled or taken over since the claim: the other transaction has dealt with the render.
        return
