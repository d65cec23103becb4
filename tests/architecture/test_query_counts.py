"""Query counts: each GET of the API and each list of the admin takes the recorded number of SQL statements.

Four rows take as many as one. `GOLDEN=write pytest -n 0 tests/architecture/test_query_counts.py` records the numbers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from api.routing import api_path
from notifications.models import DeliveryAttempt
from renderowl.urls import API_ROUTES
from renders.services.library import change_template
from tests import factories
from tests.architecture.row_factory import fill_row
from tests.architecture.source import ROOT
from tests.architecture.test_etags import has_get

FILE = ROOT / "tests/query_counts.json"
# A stream, which queries until it is closed.
UNCOUNTED = {"render-events"}
ROUTES = {
    f"v{version} {route.name}": (route, version)
    for version in settings.RENDEROWL_API_VERSIONS
    for route in API_ROUTES
    if has_get(route) and route.exists_in(version) and route.name not in UNCOUNTED
}
MODELS = {f"admin {model._meta.label}": model for model in admin.site._registry}
pytestmark = pytest.mark.django_db


def add_one_of_each(alice: User, parents: dict[str, Any]) -> None:
    """Create a row of each kind. parents: kind -> its first row, the parent of all dependent rows."""
    project = factories.make_project(alice)
    template = factories.make_template(alice, project_id=project.pk)
    made = {
        "key": factories.make_minted_key(alice).key,
        "project": project,
        "template": template,
        "asset": factories.make_asset(alice),
        "batch": factories.make_batch(alice, project=project),
        "render": factories.make_render(alice, status="succeeded", project=project, template=template),
        "notification": factories.make_notification(alice),
        "webhook": factories.make_endpoint(alice),
        "automation": factories.make_automation(alice),
    }
    for kind, row in made.items():
        parents.setdefault(kind, row)
    delivery = factories.make_delivery(parents["webhook"], status="failed")
    attempts = DeliveryAttempt.objects.filter(delivery=parents.setdefault("delivery", delivery))
    DeliveryAttempt.objects.create(delivery=parents["delivery"], number=attempts.count() + 1, duration_s=0.1)
    factories.make_hold(parents["asset"])
    factories.make_run(parents["automation"], status="succeeded", render=made["render"])
    change_template(template=parents["template"], changes={"edit": factories.make_edit(length=2 + attempts.count())})


def statements(get: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = get()
    assert answer.status_code == 200
    return len(captured)


def check(name: str, get: Callable[[], Any], add_rows: Callable[[], object]) -> None:
    add_rows()
    # Warm up: the first request also writes or caches, such as when a key was last used.
    get()
    for_one = statements(get)
    for _ in range(3):
        add_rows()
    assert statements(get) == for_one, "more rows take more statements"
    if os.environ.get("GOLDEN") == "write":
        counts = {**recorded(), name: for_one}
        known = {name: counts[name] for name in sorted(counts) if name in ROUTES.keys() | MODELS.keys()}
        FILE.write_text(json.dumps(known, indent=2) + "\n")
    assert recorded().get(name) == for_one, f"GOLDEN=write pytest -n 0 {Path(__file__).relative_to(ROOT)}"


def recorded() -> dict[str, int]:
    found: dict[str, int] = json.loads(FILE.read_text())
    return found


@pytest.mark.parametrize("name", ROUTES)
def test_gets_take_the_recorded_number_of_queries(name) -> None:
    route, version = ROUTES[name]
    alice, parents = factories.make_user("alice"), {}
    client = APIClient(headers={"X-API-Key": factories.make_api_key(alice)})

    def get() -> Any:
        ids = {"id": parents[route.name.partition("-")[0]].public_id} if "<" in route.path else {}
        return client.get(api_path(route.name, version, **ids))

    check(name, get, lambda: add_one_of_each(alice, parents))


@pytest.mark.parametrize("name", MODELS)
def test_admin_lists_take_the_recorded_number_of_queries(name) -> None:
    model = MODELS[name]
    client = Client()
    client.force_login(factories.make_user("root", is_staff=True, is_superuser=True))
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    check(name, lambda: client.get(path), lambda: fill_row(model))


@pytest.mark.skipif(os.environ.get("GOLDEN") == "write", reason="not all are recorded yet")
def test_only_existing_routes_and_models_are_recorded() -> None:
    assert recorded().keys() == ROUTES.keys() | MODELS.keys()
