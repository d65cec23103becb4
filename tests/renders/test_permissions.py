"""Permission matrix of every route of the app."""

from __future__ import annotations

import pytest

from tests.factories import make_batch, make_edit, make_project, make_render, make_template
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db


def test_projects(alice):
    check_access(Access("project-list", {"GET": "renders:read", "POST": "renders:write"}), owner=alice)
    methods = {"GET": "renders:read", "PATCH": "renders:write", "DELETE": "renders:write"}
    check_access(Access("project-detail", methods), owner=alice, row=make_project(alice))


def test_templates(alice):
    template = make_template(alice)
    check_access(Access("template-list", {"GET": "templates:read", "POST": "templates:write"}), owner=alice)
    methods = {
        "GET": "templates:read",
        "PUT": "templates:write",
        "PATCH": "templates:write",
        "DELETE": "templates:write",
    }
    check_access(Access("template-detail", methods), owner=alice, row=template)
    check_access(Access("template-versions", {"GET": "templates:read"}), owner=alice, row=template)
    check_access(Access("template-render", {"POST": "renders:write"}), owner=alice, row=template)


def test_renders(alice):
    render = make_render(alice)
    check_access(Access("render-list", {"GET": "renders:read", "POST": "renders:write"}), owner=alice)
    check_access(Access("render-detail", {"GET": "renders:read", "DELETE": "renders:write"}), owner=alice, row=render)
    check_access(Access("render-cancel", {"POST": "renders:cancel"}), owner=alice, row=render)
    check_access(Access("render-retry", {"POST": "renders:write"}), owner=alice, row=render)
    check_access(Access("render-edit", {"GET": "renders:read"}), owner=alice, row=render)
    check_access(Access("render-log", {"GET": "renders:read"}), owner=alice, row=render)
    ended = make_render(alice, status="succeeded")
    check_access(Access("render-events", {"GET": "renders:read"}), owner=alice, row=ended)


def test_batches(alice):
    batch = make_batch(alice)
    check_access(Access("batch-list", {"GET": "renders:read", "POST": "renders:write"}), owner=alice)
    check_access(Access("batch-detail", {"GET": "renders:read"}), owner=alice, row=batch)
    check_access(Access("batch-cancel", {"POST": "renders:cancel"}), owner=alice, row=batch)


def test_validation_and_estimates(alice):
    body = {"POST": {"edit": make_edit()}}
    check_access(Access("render-validate", {"POST": "renders:read"}, body), owner=alice)
    check_access(Access("credit-estimate", {"POST": "credits:read"}, body), owner=alice)
