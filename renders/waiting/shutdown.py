"""Shutdown notification, so that waiting requests do not delay the shutdown of the server.

The signal handlers of the server start its shutdown and then wait for active requests. They cannot be shared, but the
interpreter also writes the number of each signal to a file descriptor, independent of its handler.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
_shutting_down = threading.Event()
_callbacks: list[Callable[[], None]] = []


def watch_for_shutdown() -> None:
    """Start listening for SIGTERM and SIGINT. Call once, in the main thread of a starting server process."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(reader,), name="stop-watch", daemon=True).start()


def _listen(reader: int) -> None:
    while received := os.read(reader, 64):
        if _SIGNALS & set(received):
            shut_down()


def on_shutdown(callback: Callable[[], None]) -> None:
    """Register a callback for the shutdown. It runs in another thread, and must neither block nor raise."""
    _callbacks.append(callback)


def shut_down() -> None:
    """Set the shutdown flag and run the callbacks."""
    _shutting_down.set()
    for callback in _callbacks:
        callback()


def is_shutting_down() -> bool:
    """Return whether the server is shutting down."""
    return _shutting_down.is_set()
