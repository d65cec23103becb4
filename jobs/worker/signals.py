"""Signal handling: a pipe for select(), and handlers for stop, retire and child signals."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Claim no more jobs and exit when the running ones have finished, however long they take.
RETIRE_SIGNAL = signal.SIGUSR1
HANDLED_SIGNALS = (*STOP_SIGNALS, RETIRE_SIGNAL)
Action = Callable[[], None]


class SignalPipe:
    """A pipe whose read end becomes readable when the process receives a handled signal."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        for end in (self.reader, self._writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Discard pending bytes."""
        try:
            while os.read(self.reader, 4096):
                pass
        except BlockingIOError:
            return

    def wake(self) -> None:
        """Make the read end readable; callable from any thread."""
        # A full pipe is readable already.
        with suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def close(self) -> None:
        """Close both ends and unset the wakeup descriptor."""
        signal.set_wakeup_fd(-1)
        os.close(self.reader)
        os.close(self._writer)


def on_stop(action: Action) -> None:
    """Call `action` on SIGTERM and SIGINT."""

    def handle(number: int, frame: FrameType | None) -> None:
        action()

    for number in STOP_SIGNALS:
        signal.signal(number, handle)


def on_retire(action: Action) -> None:
    """Call `action` on SIGUSR1."""
    signal.signal(RETIRE_SIGNAL, lambda number, frame: action())


def wake_on_child() -> None:
    """Wake the pipe on SIGCHLD; the wakeup descriptor works only for signals with a handler."""
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
