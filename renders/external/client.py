"""The HTTP side of an external worker. Needs no database."""

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

CONNECT_S, ANSWER_S = 5, 30
# An upload is examined before it is answered.
UPLOAD_ANSWER_S = 300
REPEAT_WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
logger = logging.getLogger(__name__)


class WorkerApiError(Exception):
    """The server refuses this worker; a sentence for its operator."""


class AttemptEnded(Exception):
    """Nothing of this attempt is wanted any more."""


class UploadRefused(Exception):
    """The server does not take a file."""

    code = "upload_refused"
    retryable = False


@dataclass(frozen=True, slots=True)
class WorkerCredentials:
    """What a worker knows of its server. key, secret: none of them is ever logged."""

    url: str
    key: str
    secret: bytes
    name: str
    pool: str | None = None

    def __repr__(self) -> str:
        return f"WorkerCredentials({self.url}, {self.name})"


class WorkerApiClient:
    """Claims, uploads and reports. Each thread that reports has a client of its own."""

    def __init__(self, credentials: WorkerCredentials) -> None:
        self.credentials = credentials
        self._session = requests.Session()
        # Nothing of the surroundings: neither proxies nor passwords of a .netrc.
        self._session.trust_env = False

    def claim(self) -> dict[str, Any] | None:
        """Return the next render, None where there is nothing to do or the server does not answer.

        Raises WorkerApiError where asking again would be no use.
        """
        body = {"name": self.credentials.name, "queues": ["renders"]}
        if self.credentials.pool:
            body["pool"] = self.credentials.pool
        url = urljoin(self.credentials.url, "/internal/workers/claim")
        try:
            answer = self._session.post(
                url,
                json=body,
                headers={"X-API-Key": self.credentials.key},
                timeout=(CONNECT_S, ANSWER_S),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            logger.warning("the server does not answer: %s", type(error).__name__)
            return None
        if answer.status_code == requests.codes.ok:
            job_spec: dict[str, Any] = answer.json()
            return job_spec
        if answer.status_code == requests.codes.no_content or answer.status_code in _MAY_PASS:
            return None
        raise WorkerApiError(f"the claim was refused: {_reason(answer)}")

    def report(self, job_spec: Mapping[str, Any], members: Mapping[str, Any], *, must_arrive: bool = False) -> None:
        """Send a report. must_arrive: repeat it, under the same id, until it is answered or there is no hope.

        Raises AttemptEnded where the answer says so; WorkerApiError where the signature is refused.
        """
        body = orjson.dumps({"render": job_spec["job"]["render"], "lease_token": job_spec["lease_token"], **members})
        message_id = encode_id("msg", uuid7())
        for wait_s in (*(REPEAT_WAITS_S if must_arrive else ()), None):
            answer = self._send(job_spec["report"]["url"], body, message_id)
            if answer is not None and answer.status_code not in _MAY_PASS:
                break
            if wait_s is None:
                return
            time.sleep(wait_s)
        assert answer is not None
        if answer.status_code == requests.codes.unauthorized:
            raise WorkerApiError("the server knows no such secret, or the clocks differ by more than five minutes")
        if answer.status_code != requests.codes.ok:
            logger.warning("report refused: %s", _reason(answer))
            raise AttemptEnded
        if answer.json().get("cancel"):
            raise AttemptEnded

    def _send(self, url: str, body: bytes, message_id: str) -> requests.Response | None:
        headers = signed_headers(
            secrets=[self.credentials.secret], message_id=message_id, timestamp=int(time.time()), body=body
        )
        headers["Content-Type"] = "application/json"
        try:
            return self._session.post(
                url, data=body, headers=headers, timeout=(CONNECT_S, ANSWER_S), allow_redirects=False
            )
        except requests.RequestException as error:
            logger.warning("report not sent: %s", type(error).__name__)
            return None

    def upload(self, target: Mapping[str, Any], path: Path) -> None:
        """Send a file; once more where the line broke.

        Raises UploadRefused, AttemptEnded.
        """
        for wait_s in (*REPEAT_WAITS_S[:2], None):
            answer = self._put(target, path)
            if answer is not None and answer.ok:
                return
            if answer is not None and answer.status_code in {requests.codes.conflict, requests.codes.gone}:
                raise AttemptEnded
            if answer is not None and answer.status_code not in _MAY_PASS:
                raise UploadRefused(_reason(answer))
            if wait_s is not None:
                time.sleep(wait_s)
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
                    timeout=(CONNECT_S, UPLOAD_ANSWER_S),
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            logger.warning("upload broke off: %s", type(error).__name__)
            return None


class ProgressReporter(threading.Thread):
    """Says in the background how far an attempt is, so that its lease lives also during long steps."""

    def __init__(self, credentials: WorkerCredentials, job_spec: Mapping[str, Any]) -> None:
        super().__init__(name="reporter", daemon=True)
        self._client = WorkerApiClient(credentials)
        self._job_spec = job_spec
        self._every_s = float(job_spec["report"]["every_s"])
        self._done = threading.Event()
        self._latest: dict[str, Any] = {}
        self._over: Exception | None = None

    def note(self, **figures: Any) -> None:
        """Keep what the next report shall say."""
        self._latest = figures

    def check(self) -> None:
        """Raise what the server said, if it wants nothing of this attempt any more."""
        if self._over is not None:
            raise self._over

    def run(self) -> None:
        """Report at once, then about every `every_s`, more often while there is news."""
        said: dict[str, Any] | None = None
        wait_s = 0.0
        silent_s = 0.0
        while not self._done.wait(wait_s):
            wait_s = min(1.0, self._every_s)
            silent_s += wait_s
            latest = self._latest
            if latest == said and silent_s < self._every_s:
                continue
            said, silent_s = latest, 0.0
            try:
                self._client.report(self._job_spec, {"status": "rendering", **latest})
            except (AttemptEnded, WorkerApiError) as over:
                self._over = over
                return

    def stop(self) -> None:
        """Say nothing more; waits for a report that is on its way."""
        self._done.set()
        self.join()


def _reason(answer: requests.Response) -> str:
    try:
        problem = answer.json()
        details = [str(error.get("detail", "")) for error in problem.get("errors", [])]
        return f"{answer.status_code} {problem.get('code', '')}: {details[0] if details else problem.get('detail', '')}"
    except (ValueError, AttributeError):
        return f"HTTP {answer.status_code}"
