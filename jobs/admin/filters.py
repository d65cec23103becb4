"""Filters whose choices come from the code: asking a large table for its distinct values reads all of it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.expressions import status_is
from jobs.models import Job
from jobs.registry import handlers, known_queues
from jobs.states import JobStatus


class StatusFilter(SimpleListFilter):
    """By state, with the literal that the partial indexes want."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [(str(value), str(label)) for value, label in JobStatus.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs in the chosen state; a dead letter is sorted by its death in its own index."""
        if self.value() not in JobStatus.values:
            return queryset
        return queryset.filter(status_is(JobStatus(str(self.value()))))


class TypeFilter(SimpleListFilter):
    """By type, of those that have a handler."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the types."""
        return [(name, name) for name in sorted(handlers)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs of the chosen type."""
        return queryset.filter(type=self.value()) if self.value() else queryset


class QueueFilter(SimpleListFilter):
    """By queue, of those that handlers use."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the queues."""
        return [(name, name) for name in known_queues()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs of the chosen queue."""
        return queryset.filter(queue=self.value()) if self.value() else queryset
