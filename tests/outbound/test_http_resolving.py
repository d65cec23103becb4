"""DNS resolution with a time limit."""

import threading
import time

import pytest

from outbound.resolver import with_timeout


def test_returns_addresses_and_raises_errors():
    def refuse(host, port):
        raise OSError("no such name")

    assert with_timeout(5, lambda host, port: [f"{host}:{port}"])("a", 1) == ["a:1"]
    with pytest.raises(OSError, match="no such name"):
        with_timeout(5, refuse)("a", 1)


def test_gives_up_in_time():
    never = threading.Event()

    def hang(host, port):
        never.wait(30)
        return []

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        with_timeout(0.05, hang)("a", 1)
    assert time.monotonic() - began < 5
    never.set()
