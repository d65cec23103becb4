"""Golden responses of version 1: each GET, byte for byte, with ids and times masked.

`GOLDEN=write pytest tests/api/test_golden_responses.py` writes the files of routes that have none; a file that exists
is never rewritten, as a difference breaks clients: delete it by hand if the response was never released.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from django.db import connection
from rest_framework.test import APIClient

from api.routing import api_path
from notifications.models import DeliveryAttempt
from renderowl.urls import API_ROUTES
from tests.factories import (
    make_api_key,
    make_asset,
    make_automation,
    make_delivery,
    make_endpoint,
    make_hold,
    make_minted_key,
    make_notification,
    make_project,
    make_render,
    make_run,
    make_template,
    make_user,
)

FOLDER = Path(__file__).parent / "golden"
MASKS = (
    (r"\b([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}\b", r"\1_ID"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"\bro_live_[0-9A-Za-z]{8}", "ro_live_PREFIX"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"http://testserver/(?!api/)[^\"]*", "SIGNED_URL"),
)
ROUTES = [
    route
    for route in API_ROUTES
    if route.exists_in(1) and ("get" in route.actions if route.actions else hasattr(route.view, "get"))
]


@pytest.fixture
def world():
    """One of everything that alice can own; route -> the id in its path."""
    alice = make_user("alice", email="alice@owls.example", plan="creator")
    key = make_minted_key(alice, name="nightly", scopes=("renders:*",)).key
    project = make_project(alice, name="Owls")
    template = make_template(alice, name="Greeting", project_id=project.pk)
    asset = make_asset(alice, content=b"a film of owls", name="owls.mp4")
    make_hold(asset, label="rnd_0")
    make_render(alice, status="queued", project=project, metadata={"order_id": "1881"})
    make_render(alice, status="rendering", percent=41.5)
    error = {"code": "asset_unreachable", "message": "No.", "retryable": True, "pointer": "/timeline", "step": "fetch"}
    make_render(alice, status="failed", error=error)
    done = make_render(alice, status="succeeded", output_key="renders/golden/1/output.mp4")
    notification = make_notification(alice, title="Render succeeded", resource=done.public_id)
    action = {"type": "render", "template": template.public_id, "merge": {"NAME": "{{ event.data.name }}"}}
    trigger = {"type": "event", "events": ["asset.ready"]}
    automation = make_automation(alice, name="Greet", trigger=trigger, action=action)
    make_run(automation, status="succeeded", render=done, request=action, input={"id": "1", "data": {"name": "Ana"}})
    endpoint = make_endpoint(alice, description="Night shift", events=["render.*"])
    delivery = make_delivery(
        endpoint, status="failed", attempts=1, last_status_code=500, last_error="http_500", sequence=1
    )
    columns = {"status_code": 500, "error": "http_500", "detail": "No.", "response_body": "busy"}
    DeliveryAttempt.objects.create(delivery=delivery, number=1, duration_s=0.25, **columns)
    ids = {
        "automation": automation,
        "webhook": endpoint,
        "delivery": delivery,
        "notification": notification,
        "key": key,
        "project": project,
        "template": template,
        "asset": asset,
        "render": done,
    }
    # The key of the request is created last, so that lists, newest first, begin with it.
    client = APIClient(headers={"X-API-Key": make_api_key(alice, name="caller", scopes=("*",))})
    return client, {route.name: ids[route.name.partition("-")[0]].public_id for route in ROUTES if "<" in route.path}


def masked(body: bytes) -> bytes:
    text = body.decode()
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return text.encode() + b"\n"


@pytest.mark.django_db
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_version_1_responses_are_unchanged(world, route) -> None:
    client, ids = world
    kwargs = {"id": ids[route.name]} if route.name in ids else {}
    response = client.get(api_path(route.name, 1, **kwargs))
    assert response.status_code == 200, response.content
    answer, file = masked(response.content), FOLDER / f"{route.name}.json"
    if os.environ.get("GOLDEN") == "write" and not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(answer)
    assert file.exists(), f"GOLDEN=write pytest {__file__}"
    if connection.vendor == "postgresql":
        # jsonb changes the order of members of stored documents; the responses are equal otherwise.
        assert json.loads(answer) == json.loads(file.read_bytes())
    else:
        assert answer == file.read_bytes()


def test_every_golden_file_belongs_to_a_route() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == {route.name for route in ROUTES}
