"""Responses match the OpenAPI documents, checked with jsonschema."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from assets.models import Asset, AssetStatus
from notifications.models import DeliveryAttempt
from renders.states import RenderStatus
from tests.factories import (
    make_api_key,
    make_asset,
    make_automation,
    make_batch,
    make_delivery,
    make_endpoint,
    make_minted_key,
    make_notification,
    make_project,
    make_render,
    make_run,
    make_template,
    make_user,
)

pytestmark = pytest.mark.django_db
ERROR = {"code": "x", "message": "m", "retryable": True, "pointer": None, "step": "rendering", "attempt": 1}


@pytest.fixture
def answers(api: APIClient) -> dict[str, str]:
    """Creates rows in every collection; returns collection -> public id of a row."""
    alice = make_user("alice")
    api.credentials(HTTP_X_API_KEY=make_api_key(alice))
    project = make_project(alice)
    template = make_template(alice, project_id=project.pk)
    for status in RenderStatus.values:
        failed = {"error": ERROR} if status == "failed" else {}
        render = make_render(alice, status=status, template=template, project=project, metadata={"n": 1}, **failed)
    asset = make_asset(alice)
    Asset.objects.create(owner=alice, name="late", source_url="https://example.com/a", status=AssetStatus.PENDING)
    Asset.objects.create(
        owner=alice, name="no", status=AssetStatus.FAILED, error={"code": "too_large", "detail": "Too large."}
    )
    key = make_minted_key(alice).key
    delivery = make_delivery(make_endpoint(alice), status="failed")
    DeliveryAttempt.objects.create(delivery=delivery, number=1, duration_s=0.1, error="timeout")
    ids = {
        "projects": project,
        "templates": template,
        "renders": render,
        "assets": asset,
        "keys": key,
        "notifications": make_notification(alice),
        "batches": make_batch(alice),
        "automations": make_run(
            make_automation(alice), status="failed", error={"code": "x", "message": "m", "pointer": None}
        ).automation,
        "webhooks": delivery.endpoint,
        "deliveries": delivery,
    }
    return {name: row.public_id for name, row in ids.items()}


def without_nullable(schema: Any) -> Any:
    """Return a schema with `nullable` converted to JSON Schema, also beside `allOf`."""
    if isinstance(schema, list):
        return [without_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: without_nullable(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def problems_of(document: dict[str, Any], schema: dict[str, Any], body: Any) -> str:
    whole = without_nullable({**schema, "components": document["components"]})
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return "\n".join(f"{error.json_path}: {error.message}" for error in validator.iter_errors(body))


@pytest.mark.parametrize("version", [1, 2])
def test_responses_to_gets_match(api: APIClient, answers: dict[str, str], version: int) -> None:
    document = api.get(f"/api/v{version}/schema", HTTP_ACCEPT="application/json").json()
    checked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        collection = path.split("/")[3]
        response = api.get(path.replace("{id}", answers.get(collection, "")))
        assert response.status_code == 200, path
        content = operations["get"]["responses"]["200"]["content"]
        if set(content) == {"text/event-stream"}:
            assert b"".join(response).startswith(b"retry: ")
            continue
        schema = content["application/json"]["schema"]
        assert problems_of(document, schema, response.json()) == "", path
        checked += 1
    assert checked >= 16


@pytest.mark.parametrize("version", [1, 2])
def test_responses_with_secrets_match(api: APIClient, answers: dict[str, str], version: int) -> None:
    document = api.get(f"/api/v{version}/schema", HTTP_ACCEPT="application/json").json()
    make_user("bob", password="a long password")
    for path, body, status in (
        ("auth/token", {"username": "bob", "password": "a long password"}, "200"),
        ("keys/{id}/rotate", {}, "200"),
    ):
        response = api.post(f"/api/v{version}/{path.replace('{id}', answers['keys'])}", body, format="json")
        operation = document["paths"][f"/api/v{version}/{path}"]["post"]
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        assert response.status_code == int(status)
        assert problems_of(document, schema, response.json()) == ""
