"""What lists write is what the serializers write, over random rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from core.api.addresses import base_url
from core.api.rawvalues import DjangoValues
from core.api.renderers import JsonRenderer
from core.ids import uuid7
from renders.models import Priority, Render
from renders.serializers.renders import RenderSerializer, RenderV1Serializer
from renders.shapes import COLUMNS, render_shaper
from renders.states import RenderStatus

START = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


def random_render(chance: random.Random) -> Render:
    def maybe(value):
        return value if chance.random() < 0.5 else None

    def moment():
        return START + timedelta(microseconds=chance.randrange(10**12))

    issue = {"pointer": "/timeline", "code": "coerced", "detail": 'é \u2028 " <b>'}
    return Render(
        id=uuid7(),
        status=chance.choice(RenderStatus.values),
        percent=chance.choice([0.0, 41.7, 100.0, 3]),
        frame=chance.randrange(1000),
        total_frames=maybe(1000),
        speed_fps=maybe(chance.random() * 100),
        eta_s=maybe(chance.random() * 1e6),
        attempt=chance.randrange(4),
        progress_at=maybe(moment()),
        priority=chance.choice(Priority.values),
        project_id=maybe(uuid7()),
        template_id=maybe(uuid7()),
        output_format=chance.choice(["mp4", "gif", "mp3", "png"]),
        output_width=maybe(64),
        output_height=maybe(36),
        output_fps=maybe(29.97),
        output_duration_s=chance.random() * 10,
        output_size_bytes=chance.randrange(10**12),
        output_sha256="ab" * 32,
        output_key=f"renders/{chance.random()}/1/output.mp4",
        poster_key=maybe("renders/a/1/poster.jpg") or "",
        thumbnail_key=maybe("renders/a/1/thumbnail.jpg") or "",
        output_deleted_at=moment() if chance.random() < 0.2 else None,
        credits_reserved=chance.randrange(100_000),
        credits_charged=maybe(chance.randrange(100_000)),
        error=maybe({"code": "x", "message": "No.", "retryable": False, "pointer": None, "step": "fetching"}),
        warnings=[issue] * chance.randrange(3),
        metadata=chance.choice([{}, {"order_id": "1881", "n": 3, "é": None}]),
        retry_of_id=maybe(uuid7()),
        batch_id=maybe(uuid7()),
        created_at=moment(),
        queued_at=maybe(moment()),
        started_at=maybe(moment()),
        finished_at=maybe(moment()),
    )


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("public_url", ["", "https://render.example.com"])
def test_lists_write_what_the_serializers_write(version, public_url, settings) -> None:
    settings.PUBLIC_URL = public_url
    request = Request(APIRequestFactory().get("/"))
    request.version = version
    serializer = RenderV1Serializer if version == 1 else RenderSerializer
    chance = random.Random(20261123)
    for position in [None, 1, 1000] * 30:
        shape = render_shaper(base_url(request), version, DjangoValues(), position)
        render = random_render(chance)
        row = [getattr(render, name) for name in COLUMNS]
        expected = serializer(render, context={"request": request, "queue_position": position}).data
        assert JsonRenderer().render(shape(row)) == JsonRenderer().render(expected)


def test_every_member_of_the_shape_has_its_columns() -> None:
    columns = {field.attname for field in Render._meta.concrete_fields}
    assert set(COLUMNS) <= columns
    # What lists leave in the database.
    assert not set(COLUMNS) & {"edit", "merge", "log", "timings"}
