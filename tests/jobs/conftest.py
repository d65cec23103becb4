"""Fixtures of the queue's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from jobs.registry import Handler, handlers


@pytest.fixture
def handler() -> Iterator[Callable[..., Handler]]:
    """Register handlers for one test: `handler(run, name="test.job", ...)`."""

    def add(run=lambda context: None, *, name="test.job", **options) -> Handler:
        return handlers.register(Handler(name=name, run=run, **options))

    with handlers.override():
        yield add
