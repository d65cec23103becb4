"""Filters of `GET /internal/errors`."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from api.filters import ApiFilterSet, BooleanFilter
from monitoring.models import ErrorLog


class ErrorFilterSet(ApiFilterSet):
    """Filters by state, type and request id."""

    resolved = BooleanFilter(method="filter_resolved")
    type = django_filters.CharFilter()
    request_id = django_filters.CharFilter()

    class Meta:
        model = ErrorLog
        fields: tuple[str, ...] = ()

    def filter_resolved(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        """Return resolved errors, or open ones if value is false."""
        return rows.filter(resolved_at__isnull=not value)
