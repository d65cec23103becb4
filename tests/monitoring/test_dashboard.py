"""The first page of the admin tells what the database made of its settings."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from core.database import effective_pragmas
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_effective_settings_of_sqlite_are_reported(client: Client) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    page = client.get("/admin/").content.decode()
    values = effective_pragmas(connection)
    if connection.vendor != "sqlite":
        assert values == {}
        assert "mmap_size" not in page
        return
    assert (values["cache_size"], values["synchronous"], values["busy_timeout"]) == (-65536, 1, 4000)
    assert "mmap_size" in page
    assert "-65536" in page
