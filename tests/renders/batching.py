"""Factory of submitted batches, with jobs and reserved credits."""

from __future__ import annotations

from typing import Any

from rest_framework.test import APIClient

from renders.models import Batch
from tests.factories import make_api_key, make_edit


def submit_batch(owner: Any, total: int, **members: Any) -> Batch:
    """Submit a batch of identical renders, which wait in the queue."""
    client = APIClient(headers={"X-API-Key": make_api_key(owner)})
    body = {"renders": [{"edit": make_edit()} for _ in range(total)], **members}
    response = client.post("/api/v2/batches", body)
    assert response.status_code == 202, response.content
    return Batch.objects.get(owner=owner)
