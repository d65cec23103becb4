"""Filter sets of the list endpoints."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import F, Func, QuerySet, TextField, Value

from api.filters import ApiFilterSet, ChoicesFilter
from core.exceptions import InvalidParameter
from core.ids import decode_id
from renders.models import Batch, Project, Render, RenderPriority, Template
from renders.serializers.fields import METADATA_KEY
from renders.states import BatchStatus, RenderStatus

METADATA_PREFIX = "metadata["


class MetadataText(Func):
    """The value of a metadata key as text: strings as they are, numbers and booleans as in JSON, NULL if missing.

    Django's `KeyTextTransform` yields booleans as 1 and 0 on SQLite, as true and false elsewhere.
    """

    output_field = TextField()
    # SQLite's ->> and json_extract turn booleans into numbers and round long numbers; -> keeps the JSON text.
    _SQLITE = (
        "CASE JSON_TYPE(%(field)s, %(path)s) WHEN 'text' THEN JSON_EXTRACT(%(field)s, %(path)s) "
        "WHEN 'null' THEN NULL ELSE %(field)s -> %(path)s END"
    )

    def __init__(self, key: str) -> None:
        self._key = key
        super().__init__(F("metadata"), Value(key))

    def as_postgresql(self, compiler: Any, connection: Any, **extra_context: Any) -> tuple[str, tuple[Any, ...]]:
        """Compile to `->>`. The key is never an array index, as it does not begin with a digit."""
        field, params = compiler.compile(self.source_expressions[0])
        return f"({field} ->> %s)", (*params, self._key)

    def as_sqlite(self, compiler: Any, connection: Any, **extra_context: Any) -> tuple[str, tuple[Any, ...]]:
        """Compile to a CASE on the JSON type."""
        field, params = compiler.compile(self.source_expressions[0])
        path = f'$."{self._key}"'
        return self._SQLITE % {"field": field, "path": "%s"}, (*params, path) * 3


class PublicIdFilter(django_filters.CharFilter):
    """Filters by the public id of a related object; a malformed id is refused with 400."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Filter by the decoded id; an empty value filters nothing."""
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
        choices=[(label, label) for label in RenderPriority.labels], method="filter_priority"
    )
    project = PublicIdFilter("prj")
    template = PublicIdFilter("tpl")
    batch = PublicIdFilter("bat")

    class Meta:
        model = Render
        fields: tuple[str, ...] = ()

    def filter_priority(self, queryset: QuerySet[Render], name: str, value: str) -> QuerySet[Render]:
        """Filter by the name of a priority."""
        return queryset.filter(priority=RenderPriority[value.upper()])

    def filter_queryset(self, queryset: QuerySet[Render]) -> QuerySet[Render]:
        """Apply all filters, including any number of `metadata[key]=value`."""
        rows = super().filter_queryset(queryset)
        for number, (name, value) in enumerate(self.data.items()):
            if not name.startswith(METADATA_PREFIX):
                continue
            key = name.removeprefix(METADATA_PREFIX).removesuffix("]")
            if not name.endswith("]") or not METADATA_KEY.fullmatch(key):
                raise InvalidParameter(name, f"{name} is not a parameter of this list.")
            rows = rows.alias(**{f"metadata_{number}": MetadataText(key)})
            rows = rows.filter(**{f"metadata_{number}": value})
        return rows  # type: ignore[no-any-return]


class BatchFilterSet(ApiFilterSet):
    """Filters of GET /batches."""

    status = ChoicesFilter(choices=BatchStatus.choices)
    project = PublicIdFilter("prj")
    template = PublicIdFilter("tpl")

    class Meta:
        model = Batch
        fields: tuple[str, ...] = ()


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
