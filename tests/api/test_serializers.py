"""ResourceSerializer and its fields."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rest_framework import serializers

from api.serializers import BlankAsNullField, ConstantField, ResourceSerializer


class PartSerializer(ResourceSerializer):
    number = serializers.IntegerField()
    name = serializers.CharField()


class WholeSerializer(ResourceSerializer):
    object = ConstantField("whole")
    title = serializers.CharField(source="name")
    owner = serializers.CharField(source="account.name", allow_null=True)
    note = BlankAsNullField()
    own = PartSerializer(source="*")
    parts = PartSerializer(many=True)
    link = serializers.SerializerMethodField()
    secret = serializers.CharField(write_only=True)

    def get_link(self, row):
        return f"{self.context['base']}/{row.name}"


class ShortSerializer(WholeSerializer):
    own = None
    parts = None

    def get_link(self, row):
        return "none"


@pytest.fixture
def row():
    parts = [SimpleNamespace(number="1", name="a"), SimpleNamespace(number=2, name="b")]
    return SimpleNamespace(name="owl", number=7, account=SimpleNamespace(name="alice"), note="", parts=parts)


def test_writes_the_declared_members_in_their_order(row) -> None:
    body = WholeSerializer(row, context={"base": "https://a.example"}).data
    assert list(body.items()) == [
        ("object", "whole"),
        ("title", "owl"),
        ("owner", "alice"),
        ("note", None),
        ("own", {"number": 7, "name": "owl"}),
        ("parts", [{"number": 1, "name": "a"}, {"number": 2, "name": "b"}]),
        ("link", "https://a.example/owl"),
    ]


def test_a_method_finds_the_context_of_its_own_serializer(row) -> None:
    for base in ("https://a.example", "https://b.example"):
        assert WholeSerializer(row, context={"base": base}).data["link"] == f"{base}/owl"
        assert WholeSerializer([row], many=True, context={"base": base}).data[0]["link"] == f"{base}/owl"


def test_a_subclass_writes_its_own_members(row) -> None:
    assert list(ShortSerializer(row).data) == ["object", "title", "owner", "note", "link"]
    assert ShortSerializer(row).data["link"] == "none"


def test_a_value_that_is_missing_is_null_and_text_stays(row) -> None:
    row.account.name, row.note = None, "late"
    body = ShortSerializer(row).data
    assert (body["owner"], body["note"]) == (None, "late")


def test_the_fields_are_instantiated_once_per_class(row) -> None:
    class CountedField(serializers.CharField):
        instances = 0

        def __init__(self, **kwargs):
            type(self).instances += 1
            super().__init__(**kwargs)

    class CountedSerializer(ResourceSerializer):
        name = CountedField()

    assert CountedSerializer(row).data == {"name": "owl"}
    before = CountedField.instances
    assert CountedSerializer([row, row], many=True).data == [{"name": "owl"}] * 2
    assert CountedField.instances == before
