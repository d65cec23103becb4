"""Limits of a request for a render; the limit itself is accepted."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Job
from renders.models import Render
from renders.serializers.fields import MAX_JSON_DEPTH
from tests.factories import make_edit, make_template

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"
VALIDATE = f"{RENDERS}/validate"


def errors_of(client, **body) -> list[tuple[str, str]]:
    """Return pointers and codes of the errors in the report of `/renders/validate`, or in its refusal."""
    answer = client.post(VALIDATE, {"edit": make_edit(), **body})
    assert answer.status_code in {200, 422}, answer.content
    return [(error["pointer"], error["code"]) for error in answer.json().get("errors", [])]


def edit_of(**output):
    edit = make_edit()
    edit["output"] |= output
    return edit


def nested(depth: int):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


def sized(width: int, height: int, **output):
    return edit_of(size={"width": width, "height": height}, **output)


def test_limits_of_the_output(client):
    size = "/edit/output/size"
    good = [sized(16, 16), sized(7680, 16), sized(16, 4320), sized(17, 33, format="gif"), edit_of(fps=1)]
    good += [edit_of(fps=120), sized(7680, 4320)]
    assert [errors_of(client, edit=edit) for edit in good] == [[]] * len(good)
    bad = [
        (sized(14, 36), f"{size}/width"),
        (sized(7682, 36), f"{size}/width"),
        (sized(64, 14), f"{size}/height"),
        (sized(64, 4322), f"{size}/height"),
        (sized(65, 36), f"{size}/width"),
        (sized(64, 37), f"{size}/height"),
        (sized(0, 0), f"{size}/width"),
        (sized(-64, 36), f"{size}/width"),
        (sized(64.5, 36), f"{size}/width"),
        (sized(10**17, 36), f"{size}/width"),
        (edit_of(fps=0), "/edit/output/fps"),
        (edit_of(fps=0.99), "/edit/output/fps"),
        (edit_of(fps=120.01), "/edit/output/fps"),
        (edit_of(fps=-25), "/edit/output/fps"),
    ]
    for edit, pointer in bad:
        assert pointer in [found for found, _ in errors_of(client, edit=edit)], edit["output"]


def test_limit_of_the_length_is_an_hour(client):
    assert errors_of(client, edit=make_edit(length=3600)) == []
    assert errors_of(client, edit=make_edit(length=3600.01))
    for length in (0, -1, 1e300, "long"):
        assert errors_of(client, edit=make_edit(length=length)), length
    late = make_edit(length=10)
    late["timeline"]["tracks"][0]["clips"][0]["start"] = 3595
    assert errors_of(client, edit=late)


@pytest.mark.parametrize(("count", "is_good"), [pytest.param(5000, True, marks=pytest.mark.acceptance), (5001, False)])
def test_limit_of_the_number_of_clips(client, count, is_good):
    edit = make_edit()
    (clip,) = edit["timeline"]["tracks"][0]["clips"]
    edit["timeline"]["tracks"][0]["clips"] = [clip] * count
    assert (errors_of(client, edit=edit) == []) is is_good


def test_limit_of_the_body_is_two_megabytes(client):
    """Padded with blanks, so that only the size can be refused."""
    body = json.dumps({"edit": make_edit(), "unknown_member": 1}).encode()
    limit = 2 * 1024 * 1024
    for path in (RENDERS, VALIDATE, "/api/v2/batches", "/api/v1/renders", "/api/v2/templates"):
        for size, statuses in ((limit, {200, 422}), (limit + 1, {413})):
            answer = client.generic("POST", path, body + b" " * (size - len(body)), content_type="application/json")
            assert answer.status_code in statuses, (path, size, answer.content)
        assert answer.json()["code"] == "payload_too_large"
    assert not Render.objects.exists()


def test_limit_of_the_nesting_depth(client):
    for member in ("merge", "metadata", "edit"):
        pointers = [pointer for pointer, _ in errors_of(client, **{member: {"A": nested(MAX_JSON_DEPTH + 1)}})]
        assert pointers, member
        assert all(pointer.startswith(f"/{member}/A") for pointer in pointers)
    assert errors_of(client, merge={"A": nested(5)}) == []
    deep = b'{"edit": ' + b"[" * 400 + b"]" * 400 + b"}"
    answer = client.generic("POST", RENDERS, deep, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_unknown_members_are_named(client, alice):
    assert errors_of(client, extra=1, more=None) == [("/extra", "unknown_field"), ("/more", "unknown_field")]
    webhook = {"url": "https://example.com/", "secret": "x"}
    assert errors_of(client, webhook=webhook) == [("/webhook/secret", "unknown_field")]
    path = f"/api/v2/templates/{make_template(alice).public_id}/render"
    answer = client.post(path, {"edit": make_edit()})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/edit"]
    assert not Render.objects.exists()


def test_run_at_is_within_a_century(client):
    now = timezone.now()
    good = [now - timedelta(days=4000), now, now + timedelta(days=36_500), None]
    good = [moment and moment.isoformat() for moment in good]
    assert [errors_of(client, run_at=moment) for moment in good] == [[]] * len(good)
    far = (now + timedelta(days=36_525, minutes=1)).isoformat()
    for bad in (far, "9999-12-31T23:59:59Z"):
        assert errors_of(client, run_at=bad) == [("/run_at", "out_of_range")]
        rows = client.post("/api/v2/batches", {"edit": make_edit(), "rows": [{"run_at": bad}]})
        assert [error["pointer"] for error in rows.json()["errors"]] == ["/rows/0/run_at"]
    for bad in (
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "soon",
        "",
        1764000000,
        True,
        [],
        "2026-02-30",
    ):
        assert [pointer for pointer, _ in errors_of(client, run_at=bad)] == ["/run_at"], bad


def test_a_run_at_without_an_offset_is_utc_and_the_earliest_time_means_now(client):
    later = (timezone.now() + timedelta(hours=1)).replace(tzinfo=None, microsecond=0)
    assert client.post(RENDERS, {"edit": make_edit(), "run_at": later.isoformat()}).json()["status"] == "scheduled"
    assert Job.objects.get().scheduled_at.replace(tzinfo=None) == later
    first = client.post(RENDERS, {"edit": make_edit(), "run_at": "0001-01-01T00:00:00Z"})
    assert first.json()["status"] == "queued"


def test_limits_of_metadata(client):
    most = {f"key_{number}": number for number in range(50)}
    good = [
        {},
        most,
        {"a" * 40: "x" * 500},
        {"_": ""},
        {"n": 2**63 - 1},
        {"n": -(2**63)},
        {"n": None},
        {"n": "✓" * 500},
    ]
    assert [errors_of(client, metadata=labels) for labels in good] == [[]] * len(good)
    bad = [
        {**most, "one_more": 1},
        {"a" * 41: 1},
        {"": 1},
        {"1a": 1},
        {"a b": 1},
        {"a\n": 1},
        {"a": "x" * 501},
        {"a": []},
        {"a": {}},
        {"a": "\x00"},
        {"a": 1e20},
        {"a": -1e300},
        [],
        "text",
        None,
    ]
    for labels in bad:
        found = errors_of(client, metadata=labels)
        assert found, labels
        assert all(pointer.startswith("/metadata") for pointer, _ in found), found


def test_numbers_come_back_as_they_were_sent(client):
    """PostgreSQL stores 1e20 as an integer, which the serializer of responses cannot encode."""
    edit = make_edit()
    edit["timeline"]["tracks"][0]["clips"][0]["asset"]["note"] = 1e20
    assert errors_of(client, edit=edit) == [("/edit/timeline/tracks/0/clips/0/asset/note", "invalid_value")]
    labels = {"big": 2**63 - 1, "small": 5e-324, "near": 9e18}
    answer = client.post(RENDERS, {"edit": make_edit(), "metadata": labels})
    assert answer.status_code == 202, answer.content
    assert client.get(RENDERS).json()["data"][0]["metadata"] == labels


def test_checks_of_the_webhook(client):
    bad = [
        ({}, "/webhook/url"),
        ("https://example.com/", "/webhook"),
        ({"url": "https://example.com/" + "a" * 1981}, "/webhook/url"),
        ({"url": "https://example.com/", "events": []}, "/webhook/events"),
        ({"url": "https://example.com/", "events": "render.failed"}, "/webhook/events"),
        ({"url": "https://example.com/", "events": ["render.failed"] * 6}, "/webhook/events"),
        ({"url": "https://[::1]/"}, "/webhook/url"),
        ({"url": "https://169.254.169.254/latest"}, "/webhook/url"),
        ({"url": "https://example.com:22/"}, "/webhook/url"),
        ({"url": "javascript:alert(1)"}, "/webhook/url"),
        ({"url": "https://exam\nple.com/"}, "/webhook/url"),
    ]
    for webhook, pointer in bad:
        assert pointer in [found for found, _ in errors_of(client, webhook=webhook)], webhook
