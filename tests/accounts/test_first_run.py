"""The first run of an installation."""

from __future__ import annotations

import io
import re

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from accounts.models import ApiKey, User

pytestmark = pytest.mark.django_db


def run() -> str:
    out = io.StringIO()
    call_command("first_run", stdout=out)
    return out.getvalue()


def test_prints_credentials_that_work(api: APIClient) -> None:
    output = run()
    password = re.search(r"password +(\S+)", output)
    key = re.search(r"ro_live_\w+", output)
    assert password is not None
    assert key is not None
    user = User.objects.get()
    assert user.is_superuser
    assert user.check_password(password[1])
    assert api.get("/api/v2/me", HTTP_X_API_KEY=key[0]).status_code == 200


def test_prints_and_creates_nothing_the_second_time() -> None:
    run()
    assert run() == ""
    assert (User.objects.count(), ApiKey.objects.count()) == (1, 1)
