"""Filters of the list of renders, with the same results on both databases."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from renders.models import Render
from tests.factories import make_batch, make_edit, make_project, make_render, make_template, make_user

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"
VALUES = {
    "text": "1881",
    "whole": 3,
    "negative": -7,
    "long": 1234567890123456789,
    "broken": 0.30000000000000004,
    "point_zero": 1.0,
    "yes": True,
    "no": False,
    "nothing": None,
    "word": "true",
    "digit": "1",
    "empty": "",
    "quotes": "a\"b'c\\d`e",
    "letters": "Ünï ✓ 🦉",
    "wild": "100%_",
    "json": '{"a": [1]}',
    "dotted.key": "x",
    "dashed-key": "y",
    "_": "z",
}


def found(client, **query) -> list[str]:
    answer = client.get(f"{RENDERS}?{urlencode(query)}")
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def labelled(client, key: str, value: str) -> list[str]:
    return found(client, **{f"metadata[{key}]": value})


@pytest.fixture
def wanted(alice) -> str:
    """A render with all kinds of metadata; one without, and one of another account with the same."""
    make_render(alice)
    make_render(make_user("bob"), metadata=VALUES)
    return make_render(alice, metadata=VALUES).public_id


FOUND = [
    ("text", "1881"),
    ("whole", "3"),
    ("negative", "-7"),
    ("long", "1234567890123456789"),
    ("broken", "0.30000000000000004"),
    ("point_zero", "1.0"),
    ("yes", "true"),
    ("no", "false"),
    ("word", "true"),
    ("digit", "1"),
    ("empty", ""),
    *((key, VALUES[key]) for key in ("quotes", "letters", "wild", "json", "dotted.key", "dashed-key", "_")),
]


# One test for many values, as creating the accounts takes most of its time.
def test_metadata_is_matched_by_its_text(client, wanted):
    assert {(key, value): labelled(client, key, value) for key, value in FOUND} == {key: [wanted] for key in FOUND}


NOT_FOUND = [
    ("text", "188"),
    ("text", '"1881"'),
    ("text", "18%"),
    ("whole", "3.0"),
    ("whole", "03"),
    ("long", "1234567890123456800"),
    ("broken", "0.3"),
    ("point_zero", "1"),
    ("yes", "1"),
    ("yes", "True"),
    ("no", "0"),
    ("nothing", "null"),
    ("nothing", ""),
    ("nothing", "None"),
    ("missing", ""),
    ("missing", "null"),
    ("TEXT", "1881"),
    ("wild", "100__"),
    ("dotted", "x"),
    ("text", "' OR '1'='1"),
    ("text", "1881' --"),
    ("text", "1881') OR 1=1 --"),
    ("text", "%s"),
    ("text", "%(x)s"),
    ("text", "$.text"),
]


def test_other_text_does_not_match(client, wanted):
    assert {(key, value): labelled(client, key, value) for key, value in NOT_FOUND} == {key: [] for key in NOT_FOUND}


def test_an_invalid_metadata_key_is_refused(client, alice):
    make_render(alice)
    for key in ('a"b', "a'b", "a%sb", "a\n", "a b", "$", "0", "1881", "a]b", "a[0", "é", "a" * 41, "*"):
        answer = client.get(f"{RENDERS}?{urlencode({f'metadata[{key}]': 'x'})}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter"), key
        assert answer.json()["parameter"] == f"metadata[{key}]"


def test_several_metadata_filters_must_all_match(client, wanted):
    assert found(client, **{"metadata[text]": "1881", "metadata[yes]": "true", "metadata[dotted.key]": "x"}) == [wanted]
    assert found(client, **{"metadata[text]": "1881", "metadata[yes]": "false"}) == []


def test_metadata_sent_through_the_api_is_found(client, alice):
    answer = client.post(RENDERS, {"edit": make_edit(), "metadata": VALUES}, format="json")
    assert answer.status_code == 202, answer.content
    for key, value in (("yes", "true"), ("long", str(VALUES["long"])), ("quotes", VALUES["quotes"])):
        assert labelled(client, key, value) == [answer.json()["id"]]
    assert Render.objects.get().metadata == VALUES


def test_filters_can_be_combined(client, alice):
    project, template, batch = make_project(alice), make_template(alice), make_batch(alice, total=0)
    both = {"project": project, "template": template, "batch": batch}
    rows = {status: make_render(alice, status=status, **both) for status in ("queued", "rendering", "failed")}
    make_render(alice, status="queued", project=project)
    make_render(alice, status="queued", batch=batch)
    query = {"project": project.public_id, "template": template.public_id, "batch": batch.public_id}
    assert len(found(client, **query)) == 3
    assert found(client, **query, status="queued,rendering") == [
        rows["rendering"].public_id,
        rows["queued"].public_id,
    ]
    assert found(client, **query, status="failed") == [rows["failed"].public_id]
    assert found(client, **query, status="succeeded,cancelled") == []
    assert found(client, status="queued", batch=make_batch(alice, total=0).public_id) == []


def test_an_object_of_another_account_filters_like_a_missing_one(client, alice):
    make_render(alice)
    bob = make_user("bob")
    theirs = {"project": make_project(bob), "template": make_template(bob), "batch": make_batch(bob, total=0)}
    make_render(bob, **theirs)
    assert {name: found(client, **{name: row.public_id}) for name, row in theirs.items()} == {key: [] for key in theirs}


def test_an_invalid_list_of_statuses_is_refused(client, alice):
    make_render(alice)
    for value in ("queued,", ",queued", "queued,asleep", "queued;failed", "QUEUED", "queued, failed"):
        answer = client.get(f"{RENDERS}?{urlencode({'status': value})}")
        assert (answer.status_code, answer.json().get("parameter")) == (400, "status"), value
