"""Signals as something to wait for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Claim no more, but let what runs come to its end however long it takes: for a worker that is one too many.
RETIRE_SIGNAL = signal.SIGUSR1
HANDLED_SIGNALS = (*STOP_SIGNALS, RETIRE_SIGNAL)
Action = Callable[[], None]


class SignalPipe:
    """Makes a file descriptor readable whenever the process gets a signal that it handles."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        for end in (self.reader, self._writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Take what has come in."""
        try:
            while os.read(self.reader, 4096):
                pass
        except BlockingIOError:
            return

    def wake(self) -> None:
        """Make the descriptor readable, from any thread."""
        # Where the pipe is full it is readable already.
        with suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def close(self) -> None:
        """Give the descriptors back."""
        signal.set_wakeup_fd(-1)
        os.close(self.reader)
        os.close(self._writer)


def on_stop(action: Action) -> None:
    """Call `action` at SIGTERM and SIGINT."""

    def handle(number: int, frame: FrameType | None) -> None:
        action()

    for number in STOP_SIGNALS:
        signal.signal(number, handle)


def on_retire(action: Action) -> None:
    """Call `action` at SIGUSR1."""
    signal.signal(RETIRE_SIGNAL, lambda number, frame: action())


def wake_on_child() -> None:
    """Have the end of a child write to the pipe: a handler that does nothing is still a handler."""
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
