"""Filters of `GET /internal/jobs`."""

from __future__ import annotations

from typing import Any

import django_filters

from api.filters import ApiFilterSet, ChoicesFilter
from jobs.expressions import status_in
from jobs.models import Job, JobQuerySet
from jobs.states import ACTIVE, JobStatus


class JobFilterSet(ApiFilterSet):
    """Filters jobs by status, queue, type, reference and time of creation."""

    status = ChoicesFilter(choices=JobStatus.choices, method="filter_status")
    queue = django_filters.CharFilter()
    type = django_filters.CharFilter()
    reference = django_filters.CharFilter()

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()

    def filter_status(self, jobs: JobQuerySet, name: str, value: list[str]) -> Any:
        """Return the jobs in these states, with the conditions that the partial indexes need."""
        statuses = [JobStatus(text) for text in value]
        if set(statuses) <= set(ACTIVE):
            jobs = jobs.active()
        return jobs.filter(status_in(*statuses))
