"""Domain events: lower apps publish, higher apps subscribe, in one transaction.

A subscriber may only write rows or enqueue jobs: it shares the publisher's transaction, so its writes commit if and
only if the published change does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import transaction

from core.registry import Registry, identity

logger = logging.getLogger(__name__)

Subscriber = TypeVar("Subscriber", bound=Callable[[Any], None])


@dataclass(frozen=True, slots=True)
class EventSubscription:
    """A function that is called for every published event of exactly this type.

    batched: call it once, with the list of all events that are published together.
    """

    event_type: type[Any]
    subscriber: Callable[[Any], None]
    batched: bool = False


subscriptions = Registry[EventSubscription, EventSubscription]("subscription", key=identity)


def subscribe(*event_types: type[Any], batched: bool = False) -> Callable[[Subscriber], Subscriber]:
    """Subscribe the decorated function to events. Every app's `subscribers.py` is imported at startup.

    batched: as in `EventSubscription`; faster for many events.
    """

    def decorate(subscriber: Subscriber) -> Subscriber:
        for event_type in event_types:
            subscriptions.register(EventSubscription(event_type, subscriber, batched))
        return subscriber

    return decorate


def publish(event: object) -> None:
    """Run the subscribers of an event in the open transaction.

    Each runs in a savepoint: its failure is logged and rolls back only that subscriber's writes.
    Raises RuntimeError outside a transaction, where a crash could separate the change from its effects.
    """
    publish_many([event])


def publish_many(events: Sequence[object]) -> None:
    """Publish several events of one type, with one savepoint per subscriber for all of them.

    If a subscriber fails on one event, its writes for all of them are rolled back.
    """
    if not events:
        return
    name = type(events[0]).__name__
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"{name} was published outside a transaction")
    for subscription in list(subscriptions.values()):
        if subscription.event_type is type(events[0]):
            _dispatch(name, subscription.subscriber, [events] if subscription.batched else events)


def _dispatch(name: str, subscriber: Callable[[Any], None], subjects: Sequence[Any]) -> None:
    try:
        with transaction.atomic():
            for subject in subjects:
                subscriber(subject)
    except Exception:
        logger.exception("subscriber failed", extra={"event": name, "handler": subscriber.__name__})
