"""HTTP client of an external worker. Needs no database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import orjson
import requests

from core.ids import encode_id, uuid7
from outbound.signing import signed_headers

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 30
# The server probes an upload before it responds.
UPLOAD_READ_TIMEOUT_S = 300
RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
logger = logging.getLogger(__name__)


class WorkerApiError(Exception):
    """The server refuses this worker. The message is for its operator."""


class AttemptEnded(Exception):
    """The attempt is over: it ended, was cancelled or went to another worker."""


class UploadRefused(Exception):
    """The server refuses a file, or the upload failed repeatedly."""

    code = "upload_refused"
    retryable = False


@dataclass(frozen=True, slots=True)
class WorkerCredentials:
    """Address and credentials of the server. key and secret are never logged."""

    url: str
    key: str
    secret: bytes
    name: str
    pool: str | None = None

    def __repr__(self) -> str:
        return f"WorkerCredentials({self.url}, {self.name})"


class WorkerApiClient:
    """Claims, uploads and reports. Not thread-safe: each thread needs its own client."""

    def __init__(self, credentials: WorkerCredentials) -> None:
        self.credentials = credentials
        self._session = requests.Session()
        # Ignore the environment: no proxies, no passwords from .netrc.
        self._session.trust_env = False

    def claim(self) -> dict[str, Any] | None:
        """Return the next job spec, None if no render waits or the server cannot be reached.

        Raises WorkerApiError if retrying is pointless.
        """
        body = {"name": self.credentials.name, "queues": ["renders"]}
        if self.credentials.pool:
            body["pool"] = self.credentials.pool
        url = urljoin(self.credentials.url, "/internal/workers/claim")
        headers = {"X-API-Key": self.credentials.key}
        timeout = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        try:
            response = self._session.post(url, json=body, headers=headers, timeout=timeout, allow_redirects=False)
        except requests.RequestException as error:
            logger.warning("the server cannot be reached: %s", type(error).__name__)
            return None
        if response.status_code == requests.codes.ok:
            job_spec: dict[str, Any] = response.json()
            return job_spec
        if response.status_code == requests.codes.no_content or response.status_code in _TRANSIENT_STATUSES:
            return None
        raise WorkerApiError(f"the claim was refused: {_reason(response)}")

    def report(self, job_spec: Mapping[str, Any], members: Mapping[str, Any], *, must_arrive: bool = False) -> None:
        """Send a report. must_arrive: retry it, with the same id, a few times.

        Raises AttemptEnded if the server says so, WorkerApiError if it refuses the signature.
        """
        body = orjson.dumps({"render": job_spec["job"]["render"], "lease_token": job_spec["lease_token"], **members})
        message_id = encode_id("msg", uuid7())
        for delay_s in (*(RETRY_DELAYS_S if must_arrive else ()), None):
            response = self._send(job_spec["report"]["url"], body, message_id)
            if response is not None and response.status_code not in _TRANSIENT_STATUSES:
                break
            if delay_s is None:
                return
            time.sleep(delay_s)
        assert response is not None
        if response.status_code == requests.codes.unauthorized:
            raise WorkerApiError("the server does not know this secret, or the clocks differ by more than five minutes")
        if response.status_code != requests.codes.ok:
            logger.warning("report refused: %s", _reason(response))
            raise AttemptEnded
        if response.json().get("cancel"):
            raise AttemptEnded

    def _send(self, url: str, body: bytes, message_id: str) -> requests.Response | None:
        headers = signed_headers(
            secrets=[self.credentials.secret], message_id=message_id, timestamp=int(time.time()), body=body
        )
        headers["Content-Type"] = "application/json"
        try:
            return self._session.post(
                url, data=body, headers=headers, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S), allow_redirects=False
            )
        except requests.RequestException as error:
            logger.warning("report not sent: %s", type(error).__name__)
            return None

    def upload(self, target: Mapping[str, Any], path: Path) -> None:
        """Upload a file, with two retries. Raises UploadRefused, AttemptEnded."""
        for delay_s in (*RETRY_DELAYS_S[:2], None):
            response = self._put(target, path)
            if response is not None and response.ok:
                return
            if response is not None and response.status_code in {requests.codes.conflict, requests.codes.gone}:
                raise AttemptEnded
            if response is not None and response.status_code not in _TRANSIENT_STATUSES:
                raise UploadRefused(_reason(response))
            if delay_s is not None:
                time.sleep(delay_s)
        failure = UploadRefused("The output could not be uploaded.")
        failure.retryable = True
        raise failure

    def _put(self, target: Mapping[str, Any], path: Path) -> requests.Response | None:
        try:
            with path.open("rb") as file:
                return self._session.put(
                    target["url"],
                    data=file,
                    headers={"Content-Type": target["content_type"]},
                    timeout=(CONNECT_TIMEOUT_S, UPLOAD_READ_TIMEOUT_S),
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            logger.warning("upload failed: %s", type(error).__name__)
            return None


class ProgressReporter(threading.Thread):
    """Background thread that reports progress, which renews the lease during long steps."""

    def __init__(self, credentials: WorkerCredentials, job_spec: Mapping[str, Any]) -> None:
        super().__init__(name="reporter", daemon=True)
        self._client = WorkerApiClient(credentials)
        self._job_spec = job_spec
        self._every_s = float(job_spec["report"]["every_s"])
        self._done = threading.Event()
        self._progress: dict[str, Any] = {}
        self._failure: Exception | None = None

    def set_progress(self, **progress: Any) -> None:
        """Set the members of the next report."""
        self._progress = progress

    def check(self) -> None:
        """Raise AttemptEnded or WorkerApiError if the server has ended the attempt."""
        if self._failure is not None:
            raise self._failure

    def run(self) -> None:
        """Report at once, then every `every_s`, or every second while the progress changes."""
        sent: dict[str, Any] | None = None
        wait_s = 0.0
        silent_s = 0.0
        while not self._done.wait(wait_s):
            wait_s = min(1.0, self._every_s)
            silent_s += wait_s
            progress = self._progress
            if progress == sent and silent_s < self._every_s:
                continue
            sent, silent_s = progress, 0.0
            try:
                self._client.report(self._job_spec, {"status": "rendering", **progress})
            except (AttemptEnded, WorkerApiError) as failure:
                self._failure = failure
                return

    def stop(self) -> None:
        """Stop reporting, after waiting for a report in progress."""
        self._done.set()
        self.join()


def _reason(response: requests.Response) -> str:
    try:
        problem = response.json()
        details = [str(error.get("detail", "")) for error in problem.get("errors", [])]
        detail = details[0] if details else problem.get("detail", "")
        return f"{response.status_code} {problem.get('code', '')}: {detail}"
    except (ValueError, AttributeError):
        return f"HTTP {response.status_code}"
