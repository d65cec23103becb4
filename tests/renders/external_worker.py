"""An external worker for tests: it claims, uploads and reports through the test client.

Its reports are signed with the reference library.
"""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

from rest_framework.test import APIClient
from standardwebhooks.webhooks import Webhook

from outbound.signing import format_secret
from renders.models import Render
from renders.requests import RenderRequest
from renders.services.submit import submit_render
from tests.factories import make_edit, make_minted_key, make_user

SECRET, SECOND, OTHER = (bytes(range(start, start + 32)) for start in (1, 50, 100))
_numbers = itertools.count(1)


def submit(owner: Any, **output: Any) -> Render:
    """Submit a render of one second of 64x36 at 10 frames a second."""
    return submit_render(owner=owner, request=RenderRequest(edit=make_edit(**output)))


class ExternalWorkerClient:
    """A worker with its own key. now: the time of its clock in Unix seconds; None for the real time."""

    def __init__(self, *, secret: bytes = SECRET, name: str = "gpu-1", pool: str | None = None) -> None:
        owner = make_user(granted_scopes=["workers:report"])
        self.key = make_minted_key(owner, type="worker", scopes=("workers:report",)).plaintext
        self.secret, self.name, self.pool = secret, name, pool
        self.client = APIClient(raise_request_exception=True)
        self.now: float | None = None

    def claim(self, **body: Any) -> Any:
        """POST the claim."""
        body = {"name": self.name, **({"pool": self.pool} if self.pool else {}), **body}
        return self.client.post("/internal/workers/claim", body, headers={"X-API-Key": self.key})

    def take(self) -> dict[str, Any]:
        """Claim, and expect a job spec."""
        response = self.claim()
        assert response.status_code == 200, response.content
        job_spec: dict[str, Any] = response.json()
        return job_spec

    def headers(self, body: bytes, message_id: str = "") -> dict[str, str]:
        """Return the three headers of a signed message."""
        message_id = message_id or f"msg_{next(_numbers)}"
        stamp = int(self.now if self.now is not None else time.time())
        signature = Webhook(format_secret(self.secret)).sign(
            message_id, datetime.fromtimestamp(stamp, tz=UTC), body.decode()
        )
        return {"webhook-id": message_id, "webhook-timestamp": str(stamp), "webhook-signature": signature}

    def post(self, body: bytes, headers: dict[str, str]) -> Any:
        """Send a message unchanged."""
        return self.client.generic(
            "POST", "/webhooks/render-progress", body, content_type="application/json", headers=headers
        )

    def report(self, job_spec: dict[str, Any], status: str = "rendering", message_id: str = "", **members: Any) -> Any:
        """Sign and send a report."""
        body = json.dumps(
            {
                "render": job_spec["job"]["render"],
                "lease_token": job_spec["lease_token"],
                "status": status,
                "percent": None,
                "frame": None,
                "total_frames": None,
                "error": None,
                **members,
            }
        ).encode()
        return self.post(body, self.headers(body, message_id))

    def upload(self, job_spec: dict[str, Any], content: bytes, name: str = "output") -> Any:
        """PUT a file."""
        target = job_spec["upload"][name]
        return self.client.generic(target["method"], target["url"], content, content_type=target["content_type"])
