"""The house rules that can be checked automatically."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command

from api.permissions import required_scope
from core.scopes import ALL_SCOPES
from renderowl.urls import API_ROUTES, INTERNAL_ROUTES
from tests.architecture.source import commands_called, local_apps, product_files, routes_in_matrix, variables_read
from tests.permission_matrix import PUBLIC_ROUTES

ROOT = Path(settings.BASE_DIR)
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = {name.strip() for layer in CONTRACTS["contracts"][0]["layers"] for name in layer.split("|")}
LOCAL_APPS = [config for config in apps.get_app_configs() if Path(config.path).parent == ROOT]
ALL_ROUTES = [*API_ROUTES, *INTERNAL_ROUTES]
METHODS = ("get", "post", "put", "patch", "delete")


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_is_in_a_layer() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == LAYERS


def test_every_app_is_in_a_layer() -> None:
    assert {config.label for config in LOCAL_APPS} <= LAYERS


# POSTs that create and charge nothing, or are idempotent.
POSTS_WITHOUT_KEYS = (PUBLIC_ROUTES - {"meta"}) | {"render-validate", "credit-estimate", "render-cancel", "key-rotate"}
POSTS_WITHOUT_KEYS |= {"notification-mark-all-read", "automation-rotate-secret"}
POSTS_WITHOUT_KEYS |= {"internal-credit-check", "internal-job-cancel"}
POSTS_WITHOUT_KEYS |= {"batch-cancel"}
POSTS_WITHOUT_KEYS |= {"internal-error-resolve"}
POSTS_WITHOUT_KEYS |= {"internal-worker-claim"}


def test_every_post_that_creates_takes_an_idempotency_key() -> None:
    without = set()
    for route in ALL_ROUTES:
        action = (route.actions or {"post": "post"}).get("post", "")
        handler = getattr(route.view, action, None)
        if handler is not None and not getattr(handler, "is_idempotent", False):
            without.add(route.name)
    assert without == POSTS_WITHOUT_KEYS


def test_every_model_is_in_the_admin() -> None:
    missing = [
        model._meta.label
        for config in LOCAL_APPS
        for model in config.get_models()
        if model not in admin.site._registry and not _is_shown_inline(model)
    ]
    assert missing == []


def _is_shown_inline(model) -> bool:
    return any(inline.model is model for site in admin.site._registry.values() for inline in site.inlines)


@pytest.mark.parametrize("model", [model for config in LOCAL_APPS for model in config.get_models()])
def test_admin_lists_are_usable(model) -> None:
    site = admin.site._registry.get(model)
    if site is None:
        assert _is_shown_inline(model)
        return
    assert site.list_display != ("__str__",), model
    assert site.search_fields or site.list_filter, model
    foreign = [f.name for f in model._meta.fields if f.is_relation and f.editable]
    if site.has_change_permission.__func__ is admin.ModelAdmin.has_change_permission:
        picked = set(site.raw_id_fields) | set(site.autocomplete_fields) | set(site.readonly_fields)
        assert set(foreign) <= picked, f"{model}: a plain drop-down would load every row"


def test_internal_routes_have_unique_names() -> None:
    names = [route.name for route in INTERNAL_ROUTES]
    assert len(set(names)) == len(names)
    assert set(names) & {route.name for route in API_ROUTES} == set()


@pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: route.name)
def test_every_action_of_every_route_has_a_scope(route) -> None:
    if route.name in PUBLIC_ROUTES:
        return
    actions = route.actions or {method: method for method in METHODS if hasattr(route.view, method)}
    assert actions
    for method, action in actions.items():
        view = route.view()
        view.action = action
        scope = required_scope(view, method)
        assert scope is not None, f"{route.name}.{action} has no scope, so all requests are refused"
        assert scope == "" or scope in ALL_SCOPES, scope


def test_every_route_passes_through_the_permission_matrix() -> None:
    checked = set().union(*map(routes_in_matrix, (ROOT / "tests").rglob("test_*.py")))
    assert {route.name for route in ALL_ROUTES} - PUBLIC_ROUTES - checked == set()


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    out = io.StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=out)
    except SystemExit:
        pytest.fail(out.getvalue())


def test_migrations_are_named_for_what_they_do() -> None:
    names = [p.stem for config in LOCAL_APPS for p in Path(config.path).glob("migrations/0*.py")]
    assert names
    assert [name for name in names if "_auto_" in name] == []


def test_every_command_is_called_in_a_test() -> None:
    commands = {p.stem for app in local_apps() for p in (ROOT / app).glob("management/commands/[a-z]*.py")}
    called = set().union(*map(commands_called, (ROOT / "tests").rglob("*.py")))
    assert commands
    assert sorted(commands - called) == []


# Used by tests, or set by the server for its workers.
VARIABLES_NOT_IN_EXAMPLE = {"TEST_DATABASE_NAME", "RENDEROWL_STOPPING_FILE", "PROMETHEUS_MULTIPROC_DIR"}


def test_env_example_lists_the_variables_that_are_read() -> None:
    example = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = set().union(*map(variables_read, product_files()))
    assert sorted(read - example - VARIABLES_NOT_IN_EXAMPLE) == []
    # The SDK of OpenTelemetry reads its own variables.
    assert sorted(name for name in example - read if not name.startswith("OTEL_")) == []


def test_every_local_app_is_installed() -> None:
    assert {config.label for config in LOCAL_APPS} == local_apps()


@pytest.mark.parametrize("path", product_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_of_the_product_are_short(path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > 60] == []
