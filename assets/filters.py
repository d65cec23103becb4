"""Filters of the list of assets."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from api.filters import ApiFilterSet, ChoicesFilter
from assets.models import Asset, AssetStatus, kind_choices
from core.exceptions import InvalidParameter
from core.ids import decode_id


class AssetFilterSet(ApiFilterSet):
    """`?kind=video,image&status=ready&project=prj_...`, and the time filters of all lists."""

    kind = ChoicesFilter(choices=kind_choices)
    status = ChoicesFilter(choices=AssetStatus.choices)
    project = django_filters.CharFilter(method="in_project")

    class Meta:
        model = Asset
        fields: list[str] = []

    def in_project(self, rows: QuerySet[Asset], name: str, value: Any) -> QuerySet[Asset]:
        """Filter for the assets of one project."""
        try:
            return rows.filter(project_id=decode_id("prj", value))
        except ValueError:
            raise InvalidParameter(name, f"{name} is not the id of a project.") from None
