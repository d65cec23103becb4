"""Filters of `GET /keys`."""

from __future__ import annotations

from accounts.models import ApiKey, ApiKeyQuerySet, key_type_choices
from api.filters import ApiFilterSet, BooleanFilter, ChoicesFilter


class KeyFilterSet(ApiFilterSet):
    """Filters of `GET /keys`."""

    type = ChoicesFilter(choices=key_type_choices)
    active = BooleanFilter(method="filter_active")

    class Meta:
        model = ApiKey
        fields: list[str] = []

    def filter_active(self, keys: ApiKeyQuerySet, name: str, value: bool) -> ApiKeyQuerySet:
        """Filter for active keys, or for inactive ones."""
        return keys.active() if value else keys.exclude(pk__in=keys.active().values("pk"))
