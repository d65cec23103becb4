"""Append-only models, whose rows code cannot change or delete by accident."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from django.db import models

from core.models import BaseModel


class AppendOnlyError(TypeError):
    """Code tried to change or delete an append-only row: a bug, never a client's error."""


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Rows that can only be added and read."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse: a correction is a new row."""
        raise AppendOnlyError(f"{self.model.__name__} rows are never changed")

    def delete(self) -> NoReturn:
        """Refuse: a history keeps errors too."""
        raise AppendOnlyError(f"{self.model.__name__} rows are never deleted")

    def for_owner(self, user: Any) -> Self:
        """Return the rows of one user."""
        return self.filter(user=user)


class AppendOnlyModel(BaseModel):
    """A row that is inserted once, and then only read."""

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
