"""Admin filters with choices from the code, as finding distinct values would scan the whole job table."""

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
    """Filter by status, as a literal for the partial indexes."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return all statuses."""
        return [(str(value), str(label)) for value, label in JobStatus.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs with the chosen status."""
        if self.value() not in JobStatus.values:
            return queryset
        return queryset.filter(status_is(JobStatus(str(self.value()))))


class TypeFilter(SimpleListFilter):
    """Filter by job type, among those with a handler."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the registered types, sorted."""
        return [(name, name) for name in sorted(handlers)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs of the chosen type."""
        return queryset.filter(type=self.value()) if self.value() else queryset


class QueueFilter(SimpleListFilter):
    """Filter by queue, among those of registered handlers."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the known queues."""
        return [(name, name) for name in known_queues()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs of the chosen queue."""
        return queryset.filter(queue=self.value()) if self.value() else queryset
