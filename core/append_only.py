"""Rows that are written once: a history that code cannot rewrite by accident."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from django.db import models

from core.models import BaseModel


class AppendOnlyError(TypeError):
    """Code tried to change or delete a row of a history: a bug, never a client's mistake."""


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Rows that can be added and read."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse: a correction is a new row."""
        raise AppendOnlyError(f"{self.model.__name__} rows are never changed")

    def delete(self) -> NoReturn:
        """Refuse: a history keeps what was wrong too."""
        raise AppendOnlyError(f"{self.model.__name__} rows are never deleted")

    def for_owner(self, user: Any) -> Self:
        """Return the rows of one user."""
        return self.filter(user=user)


class AppendOnlyModel(BaseModel):
    """A row that is inserted and from then on only read."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row; refuse to write it a second time."""
        if not self._state.adding:
            raise AppendOnlyError(f"{type(self).__name__} rows are never changed")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError(f"{type(self).__name__} rows are never deleted")
