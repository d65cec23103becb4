"""Learn at once that the server is to stop, so that nobody who merely waits holds it up.

A server's own signal handlers begin its shutdown and then wait for the requests at work. They cannot be shared, but
the interpreter also writes the number of each signal to a file descriptor, whoever handles it.
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
    """Notice SIGTERM and SIGINT from now on. Call it once in the main thread of a server process, as it starts."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(reader,), name="stop-watch", daemon=True).start()


def _listen(reader: int) -> None:
    while received := os.read(reader, 64):
        if _SIGNALS & set(received):
            shut_down()


def on_shutdown(callback: Callable[[], None]) -> None:
    """Call `callback` when the server is to stop, in another thread; it must neither block nor raise."""
    _callbacks.append(callback)


def shut_down() -> None:
    """Let everybody who waits know that the server is to stop."""
    _shutting_down.set()
    for callback in _callbacks:
        callback()


def is_shutting_down() -> bool:
    """Return whether the server is to stop."""
    return _shutting_down.is_set()
