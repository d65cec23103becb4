"""Registries, in which higher apps register values for lower ones at startup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def identity(value: Any) -> Any:
    """Return the value: a key for functions and other values without a name."""
    return value


class Registry(dict[Key, Value]):
    """A dictionary of registered values, in the order of registration.

    what: a noun for messages; key: returns the key of a value.
    """

    def __init__(self, what: str, key: Callable[[Value], Key] = attrgetter("name")) -> None:
        super().__init__()
        self._what = what
        self._key = key

    def register(self, value: Value) -> Value:
        """Add a value and return it, so that this can be a decorator. Adding it again has no effect.

        Raises ValueError if another value has its key.
        """
        key = self._key(value)
        if self.setdefault(key, value) != value:
            raise ValueError(f"two {self._what}s are named {key!r}")
        return value

    def by_name(self) -> list[Value]:
        """Return all values, sorted by their keys."""
        return [value for _, value in sorted(self.items(), key=lambda item: str(item[0]))]

    @contextmanager
    def override(self, *values: Value) -> Iterator[None]:
        """Add or replace values, and restore all content at the end of the block; for tests."""
        before = dict(self)
        self.update((self._key(value), value) for value in values)
        try:
            yield
        finally:
            self.clear()
            self.update(before)
