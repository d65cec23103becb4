"""Events run in the publisher's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from core.events import publish, publish_many, subscribe, subscriptions


@dataclass(frozen=True)
class SomethingHappened:
    name: str


@contextmanager
def subscribed(handler: Callable[[SomethingHappened], None]) -> Iterator[None]:
    with subscriptions.override():
        subscribe(SomethingHappened)(handler)
        yield


def write(event: SomethingHappened) -> None:
    ContentType.objects.create(app_label="events", model=event.name)


def written() -> list[str]:
    return sorted(ContentType.objects.filter(app_label="events").values_list("model", flat=True))


@pytest.mark.django_db(transaction=True)
def test_refuses_to_publish_outside_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        publish(SomethingHappened("x"))


@pytest.mark.django_db
def test_subscriber_writes_in_the_same_transaction() -> None:
    with subscribed(write):
        with pytest.raises(KeyError), transaction.atomic():
            publish(SomethingHappened("rolled_back"))
            assert written() == ["rolled_back"]
            raise KeyError
        assert written() == []
        with transaction.atomic():
            publish(SomethingHappened("committed"))
        assert written() == ["committed"]


@pytest.mark.django_db
def test_failing_subscriber_undoes_only_its_own_rows(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: SomethingHappened) -> None:
        ContentType.objects.create(app_label="events", model="halfway")
        raise ZeroDivisionError

    with subscribed(fail), subscribed(write), transaction.atomic():
        publish(SomethingHappened("committed"))
    assert written() == ["committed"]
    assert "subscriber failed" in caplog.text


@pytest.mark.django_db
def test_subscribing_twice_runs_once() -> None:
    with subscribed(write):
        subscribe(SomethingHappened)(write)
        with transaction.atomic():
            publish(SomethingHappened("once"))
    assert written() == ["once"]


@pytest.mark.django_db
def test_many_events_share_a_savepoint_for_each_subscriber(django_assert_num_queries):
    received: list[str] = []

    def fail_at_the_second(event: SomethingHappened) -> None:
        received.append(event.name)
        if event.name == "two":
            raise RuntimeError

    many = [SomethingHappened(name) for name in ("one", "two", "three")]
    with subscribed(fail_at_the_second), subscribed(write), transaction.atomic(), django_assert_num_queries(8):
        publish_many(many)
        publish_many([])
    assert received == ["one", "two"]
    assert written() == ["one", "three", "two"]


@pytest.mark.django_db
def test_a_batched_subscriber_gets_all_events_of_a_call() -> None:
    received: list[list[str]] = []

    def record(events: Sequence[SomethingHappened]) -> None:
        received.append([event.name for event in events])

    with subscriptions.override(), transaction.atomic():
        subscribe(SomethingHappened, batched=True)(record)
        publish_many([SomethingHappened("a"), SomethingHappened("b")])
        publish(SomethingHappened("c"))
    assert received == [["a", "b"], ["c"]]
