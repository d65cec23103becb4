"""Filters of the lists."""

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
    """The value of a key as text: a string's own, a number or boolean as JSON writes it, NULL where there is none.

    Django's transform of a key tells booleans as 1 and 0 on SQLite, as true and false elsewhere.
    """

    output_field = TextField()
    # SQLite's ->> and json_extract make numbers of booleans and round long numbers; -> leaves what was written.
    _SQLITE = (
        "CASE JSON_TYPE(%(field)s, %(path)s) WHEN 'text' THEN JSON_EXTRACT(%(field)s, %(path)s) "
        "WHEN 'null' THEN NULL ELSE %(field)s -> %(path)s END"
    )

    def __init__(self, key: str) -> None:
        self._key = key
        super().__init__(F("metadata"), Value(key))

    def as_postgresql(self, compiler: Any, connection: Any, **extra_context: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the text of the key, which is never an index: a name begins with a letter."""
        field, params = compiler.compile(self.source_expressions[0])
        return f"({field} ->> %s)", (*params, self._key)

    def as_sqlite(self, compiler: Any, connection: Any, **extra_context: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the same of what SQLite keeps as text."""
        field, params = compiler.compile(self.source_expressions[0])
        path = f'$."{self._key}"'
        return self._SQLITE % {"field": field, "path": "%s"}, (*params, path) * 3


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
        choices=[(label, label) for label in RenderPriority.labels], method="filter_priority"
    )
    project = PublicIdFilter("prj")
    template = PublicIdFilter("tpl")
    batch = PublicIdFilter("bat")

    class Meta:
        model = Render
        fields: tuple[str, ...] = ()

    def filter_priority(self, queryset: QuerySet[Render], name: str, value: str) -> QuerySet[Render]:
        """Return the renders of a priority's name."""
        return queryset.filter(priority=RenderPriority[value.upper()])

    def filter_queryset(self, queryset: QuerySet[Render]) -> QuerySet[Render]:
        """Return the renders that pass all filters, `metadata[key]=value` included."""
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
