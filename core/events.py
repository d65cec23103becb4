"""Domain events: lower apps publish, higher apps listen, in one transaction.

A subscriber may only write rows or enqueue jobs: it shares the publisher's transaction, so what it writes
exists if and only if the change that it was told of does.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import transaction

logger = logging.getLogger(__name__)

Event = TypeVar("Event")
_subscribers: dict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)
_many: dict[type[Any], list[Callable[[Sequence[Any]], None]]] = defaultdict(list)


def subscribe(event_type: type[Event], handler: Callable[[Event], None]) -> None:
    """Call `handler` for every published event of exactly this type. Connect in `AppConfig.ready()`, once."""
    if handler not in _subscribers[event_type]:
        _subscribers[event_type].append(handler)


def subscribe_many(event_type: type[Event], handler: Callable[[Sequence[Event]], None]) -> None:
    """Do the same for a handler that takes all events which are published together, and is the quicker for it."""
    if handler not in _many[event_type]:
        _many[event_type].append(handler)


def unsubscribe(event_type: type[Event], handler: Callable[[Event], None]) -> None:
    """Stop calling `handler`; for tests."""
    _subscribers[event_type].remove(handler)


def unsubscribe_many(event_type: type[Event], handler: Callable[[Sequence[Event]], None]) -> None:
    """Stop calling `handler`; for tests."""
    _many[event_type].remove(handler)


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
    for handler in tuple(_subscribers[type(events[0])]):
        _tell(name, handler, events)
    for handler_of_many in tuple(_many[type(events[0])]):
        _tell(name, handler_of_many, [events])


def _tell(name: str, handler: Callable[[Any], None], subjects: Sequence[Any]) -> None:
    try:
        with transaction.atomic():
            for subject in subjects:
                handler(subject)
    except Exception:
        logger.exception("subscriber failed", extra={"event": name, "handler": handler.__name__})
