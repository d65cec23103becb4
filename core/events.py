"""Domain events: lower apps publish, higher apps listen, in one transaction.

A subscriber may only write rows or enqueue jobs: it shares the publisher's transaction, so what it writes
exists if and only if the change that it was told of does.
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

    batched: it is called once for all events that are published together, with the list of them.
    """

    event_type: type[Any]
    subscriber: Callable[[Any], None]
    batched: bool = False


subscriptions = Registry[EventSubscription, EventSubscription]("subscription", key=identity)


def subscribe(*event_types: type[Any], batched: bool = False) -> Callable[[Subscriber], Subscriber]:
    """Have the decorated function called for events. Every app's `subscribers.py` is imported as the program starts.

    batched: as in `EventSubscription`, which is quicker.
    """

    def decorate(subscriber: Subscriber) -> Subscriber:
        for event_type in event_types:
            subscriptions.register(EventSubscription(event_type, subscriber, batched))
        return subscriber

    return decorate


def publish(event: object) -> None:
    """Run the subscribers of an event in the open transaction.

    Each runs in a savepoint: its failure is logged and undoes only what that subscriber wrote.
    Raises RuntimeError outside a transaction, where a crash could part the change from its consequences.
    """
    publish_many([event])


def publish_many(events: Sequence[object]) -> None:
    """Do the same for events of one type that come together, with one savepoint a subscriber for all of them.

    A subscriber that fails at one of them has written nothing for any.
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
