"""Generated requests against every operation of both documents: no server error, no undocumented answer.

Half of the requests fit the document, half do not. Each is rolled back after its answer. `FUZZ_CASES=10000` sends more,
`FUZZ_SEED=...` repeats a run: the seed is printed, and part of every failure message.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from django.db import connection, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode

from api.schema import PROBLEM_COMPONENT
from tests.factories import make_api_key, make_user
from tests.openapi.documents import current_document
from tests.sample_rows import collection_of, make_rows

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db, pytest.mark.timeout(900)]
# On PostgreSQL fewer cases do: there the question is only whether it accepts what SQLite accepts.
CASES = int(os.environ.get("FUZZ_CASES") or (2200 if connection.vendor == "sqlite" else 700))
SEED = int(os.environ.get("FUZZ_SEED") or secrets.randbits(32))
PROBLEM = Draft202012Validator(PROBLEM_COMPONENT)
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass
class Findings:
    """The faults, each kind once, and the counts of answers by status."""

    statuses: Counter[int] = field(default_factory=Counter)
    complaints: dict[str, str] = field(default_factory=dict)

    def complain(self, kind: str, request: requests.PreparedRequest, response: Any) -> None:
        body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        self.complaints.setdefault(
            f"{request.method} {kind}",
            f"{request.url} {dict(request.headers)} {body[:600]!r}\n"
            f" -> {response.status_code} {response.content[:600]!r}",
        )


@pytest.fixture
def storage(tmp_path: Path, settings: Any) -> None:
    """A storage of this test's own."""
    settings.DATA_DIR = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(tmp_path / "media")}},
    }


def prepare(case: Case) -> requests.PreparedRequest | None:
    """Return the request as it would be sent; None for one that no client can send."""
    arguments = case.as_transport_kwargs(base_url="http://testserver")
    arguments.pop("timeout", None)
    arguments = {
        name: value for name, value in arguments.items() if name not in {"stream", "verify", "allow_redirects"}
    }
    try:
        return requests.Request(**arguments).prepare()
    except (requests.exceptions.InvalidHeader, UnicodeError, ValueError):
        return None


def send(request: requests.PreparedRequest, key: str | None) -> Any:
    headers = {
        name: value for name, value in request.headers.items() if name.lower() not in {"x-api-key", "authorization"}
    }
    content_type = headers.pop("Content-Type", "")
    headers.pop("Content-Length", None)
    if key is not None:
        headers["X-API-Key"] = key
    body = request.body or b""
    return Client(raise_request_exception=False).generic(
        request.method or "GET",
        request.path_url,
        data=body if isinstance(body, bytes) else body.encode(),
        content_type=content_type,
        headers={name: value if isinstance(value, str) else value.decode("latin-1") for name, value in headers.items()},
    )


def judge(
    findings: Findings, documented: set[str], request: requests.PreparedRequest, response: Any, path: str
) -> None:
    status = response.status_code
    findings.statuses[status] += 1
    if status >= 500:
        findings.complain(f"{path} answers {status}", request, response)
    if str(status) not in documented:
        findings.complain(f"{path} answers {status}, which is not documented", request, response)
    if status < 400:
        return
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if response.get("Content-Type") != "application/problem+json" or not isinstance(body, dict):
        findings.complain(f"{path} refuses without a problem document", request, response)
    elif errors := [error.message for error in PROBLEM.iter_errors(body)]:
        findings.complain(f"{path} refuses in another shape: {errors[0]}", request, response)
    elif body["status"] != status:
        findings.complain(f"{path} says {body['status']} in the body", request, response)


def fuzz(
    operation: Any, mode: GenerationMode, count: int, rows: dict[str, Any], keys: list[str | None], findings: Findings
) -> None:
    """Send `count` requests of one kind to one operation."""
    documented = {str(status) for status in operation.definition.raw["responses"]}
    number = 0

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        nonlocal number
        number += 1
        row = rows.get(collection_of(operation.path))
        if row is not None and number % 4 and isinstance(case.path_parameters, dict) and "id" in case.path_parameters:
            # Generated ids are all missing; most requests should get further.
            case.path_parameters["id"] = row.public_id
        if isinstance(case.query, dict) and "wait" in case.query:
            case.query["wait"] = 0 if mode is GenerationMode.POSITIVE else "soon"
        request = prepare(case)
        if request is None:
            return
        # Not `atomic`: code that demands an outermost transaction would fail inside of it.
        before = transaction.savepoint()
        response = send(request, keys[number % len(keys)])
        if getattr(response, "streaming", False):
            response.close()
        transaction.savepoint_rollback(before)
        judge(findings, documented, request, response, operation.path)

    try:
        ask()
    except Unsatisfiable:
        # An operation without parameters has no request that does not fit it.
        assert mode is GenerationMode.NEGATIVE


@pytest.mark.usefixtures("storage")
def test_no_request_breaks_an_operation() -> None:
    began = time.process_time()
    owner = make_user("root", is_staff=True, is_superuser=True, granted_scopes=["internal:credits", "workers:report"])
    whole = make_api_key(owner, scopes=tuple(sorted(owner.scopes)))
    narrow = make_api_key(owner, scopes=("renders:read",))
    keys = [whole, whole, whole, narrow, None]
    documents = {version: current_document(version) for version in (1, 2)}
    total = sum(
        len([m for m in methods if m in METHODS]) for d in documents.values() for methods in d["paths"].values()
    )
    rows = make_rows(owner, list(documents[2]["paths"]))
    findings = Findings()
    each = max(2, -(-CASES // total))
    for document in documents.values():
        schema = schemathesis.openapi.from_dict(document)
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode, count in ((GenerationMode.POSITIVE, each - each // 2), (GenerationMode.NEGATIVE, each // 2)):
                fuzz(operation, mode, count, rows, keys, findings)
    asked = findings.statuses.total()
    print(f"seed {SEED}: {asked} requests to {total} operations, {time.process_time() - began:.0f} s of CPU")
    print(dict(sorted(findings.statuses.items())))
    report = "\n".join(f"{kind}\n   {sample}" for kind, sample in findings.complaints.items())
    assert not findings.complaints, f"FUZZ_SEED={SEED} FUZZ_CASES={CASES}: {len(findings.complaints)} kinds\n{report}"
    assert asked >= CASES * 0.9
