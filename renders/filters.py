"""Filters of the lists."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from core.api.filters import ApiFilterSet, ChoicesFilter
from core.exceptions import InvalidParameter
from core.ids import decode_id
from renders.models import Priority, Project, Render, Template
from renders.serializers.fields import METADATA_KEY
from renders.states import RenderStatus

METADATA_PREFIX = "metadata["


class PublicIdFilter(django_filters.CharFilter):
    """Rows that refer to the object of a public id; a text that is no such id is refused."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows with that reference."""
        if not value:
            return qs
        try:
            return super().filter(qs, decode_id(self.prefix, value))  # type: ignore[no-any-return]
        except ValueError:
            raise InvalidParameter(str(self.field_name), f"This is not a {self.prefix}_ id.") from None


class RenderFilterSet(ApiFilterSet):
    """Filters of GET /renders."""

    open_prefixes = (METADATA_PREFIX,)

    status = ChoicesFilter(choices=RenderStatus.choices)
    priority = django_filters.ChoiceFilter(
        choices=[(label, label) for label in Priority.labels], method="filter_priority"
    )
    project = PublicIdFilter("prj")
    template = PublicIdFilter("tpl")

    class Meta:
        model = Render
        fields: tuple[str, ...] = ()

    def filter_priority(self, queryset: QuerySet[Render], name: str, value: str) -> QuerySet[Render]:
        """Return the renders of a priority's name."""
        return queryset.filter(priority=Priority[value.upper()])

    def filter_queryset(self, queryset: QuerySet[Render]) -> QuerySet[Render]:
        """Return the renders that pass all filters, `metadata[key]=value` included."""
        rows = super().filter_queryset(queryset)
        for number, (name, value) in enumerate(self.data.items()):
            if not name.startswith(METADATA_PREFIX):
                continue
            key = name.removeprefix(METADATA_PREFIX).removesuffix("]")
            if not name.endswith("]") or not METADATA_KEY.match(key):
                raise InvalidParameter(name, f"{name} is not a parameter of this list.")
            # The cast makes it text for the database too: compared as JSON, "3" and 3 would differ.
            rows = rows.alias(**{f"metadata_{number}": Cast(KeyTextTransform(key, "metadata"), TextField())})
            rows = rows.filter(**{f"metadata_{number}": value})
        return rows  # type: ignore[no-any-return]


class TemplateFilterSet(ApiFilterSet):
    """Filters of GET /templates."""

    project = PublicIdFilter("prj")

    class Meta:
        model = Template
        fields: tuple[str, ...] = ()


class ProjectFilterSet(ApiFilterSet):
    """Filters of GET /projects."""

    class Meta:
        model = Project
        fields: tuple[str, ...] = ()
