"""The parameters of a load test. Must not import Django: the child process imports it too."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The parameters of one load test.

    endpoints: paths with their query, requested in turn. rps: requests per second in total; None for no limit.
    """

    url: str
    endpoints: tuple[str, ...]
    duration_s: float
    concurrency: int
    rps: float | None = None
    method: str = "GET"
    key: str = ""
    body: bytes = b""
    content_type: str = "application/json"

    def to_json(self) -> str:
        """Serialize the plan for the child process; the body is Base64."""
        return json.dumps({**asdict(self), "body": base64.b64encode(self.body).decode()})

    @classmethod
    def from_json(cls, text: str) -> LoadPlan:
        """Parse the output of `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        plan = cls(**{**fields, "endpoints": tuple(fields["endpoints"])})
        return replace(plan, body=base64.b64decode(fields["body"]))

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries."""
        headers = {"Accept": "application/json", "User-Agent": "renderowl-load-test"}
        if self.key:
            headers["X-API-Key"] = self.key
        if self.body:
            headers["Content-Type"] = self.content_type
        return headers
