"""Domain events: lower apps publish, higher apps listen, in one transaction.

A subscriber may only write rows or enqueue jobs: it shares the publisher's transaction, so what it writes
exists if and only if the change that it was told of does.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction

logger = logging.getLogger(__name__)

Event = TypeVar("Event")
_subscribers: dict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)


def subscribe(event_type: type[Event], handler: Callable[[Event], None]) -> None:
    """Call `handler` for every published event of exactly this type. Connect in `AppConfig.ready()`, once."""
    if handler not in _subscribers[event_type]:
        _subscribers[event_type].append(handler)


def unsubscribe(event_type: type[Event], handler: Callable[[Event], None]) -> None:
    """Stop calling `handler`; for tests."""
    _subscribers[event_type].remove(handler)


def publish(event: object) -> None:
    """Run the subscribers of an event in the open transaction.

    Each runs in a savepoint: its failure is logged and undoes only what that subscriber wrote.
    Raises RuntimeError outside a transaction, where a crash could part the change from its consequences.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"{type(event).__name__} was published outside a transaction")
    for handler in tuple(_subscribers[type(event)]):
        try:
            with transaction.atomic():
                handler(event)
        except Exception:
            logger.exception("subscriber failed", extra={"event": type(event).__name__, "handler": handler.__name__})
