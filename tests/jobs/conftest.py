"""Handlers that the tests of the queue run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from jobs.registry import Handler, handlers


@pytest.fixture
def handler() -> Iterator[Callable[..., Handler]]:
    """Register handlers for one test: `handler(run, name="test.job", ...)`."""

    def add(run=lambda context: None, *, name="test.job", **terms) -> Handler:
        made = Handler(name=name, run=run, **terms)
        return handlers.register(made)

    with handlers.override():
        yield add
