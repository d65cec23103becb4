"""List filters: declared with django-filter; unknown parameters are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django_filters.fields import BaseCSVField, IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request

from core.exceptions import InvalidParameter

if TYPE_CHECKING:
    # DRF's settings name this module, so it is imported while `rest_framework.views` is half loaded.
    from rest_framework.views import APIView


class _ChoicesField(BaseCSVField):
    """Choices between commas. Django's field ignores empty ones."""

    def clean(self, value: Any) -> Any:
        """Return the choices; refuse an empty one."""
        if value is not None and "" in value:
            raise ValidationError("Empty values between commas are not allowed.")
        return super().clean(value)


class ChoicesFilter(django_filters.BaseInFilter, django_filters.ChoiceFilter):
    """One or more of the choices, separated by commas: `status=queued,rendering`."""

    base_field_class = _ChoicesField


class _UtcField(IsoDateTimeField):
    """A time that every database can store."""

    def to_python(self, value: Any) -> Any:
        """Return the time in UTC; refuse one that is out of range there."""
        moment: datetime | None = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise ValidationError("The time is out of range.") from None


class TimeFilter(django_filters.IsoDateTimeFilter):
    """A time in ISO 8601; UTC if it has no offset."""

    field_class = _UtcField


class _StrictBooleanField(forms.NullBooleanField):
    """true or false. Django's own field treats any other value as "no filter"."""

    def clean(self, value: Any) -> bool | None:
        """Return the boolean; None without a value."""
        if value is None or isinstance(value, bool):
            return value
        if value not in ("true", "false"):
            raise ValidationError("This must be true or false.")
        return bool(value == "true")


class BooleanFilter(django_filters.BooleanFilter):
    """`unread=true`; anything but true and false is refused."""

    field_class = _StrictBooleanField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"widget": forms.TextInput, **kwargs})


class ApiFilterSet(django_filters.FilterSet):
    """The filters of every list. open_prefixes: of parameters with free names, such as `metadata[`."""

    open_prefixes: tuple[str, ...] = ()

    created_at__gte = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_at__lt = TimeFilter(field_name="created_at", lookup_expr="lt")


class StrictFilterBackend(DjangoFilterBackend):
    """Apply a view's filterset; refuse undeclared parameters, so that a typo never widens a list."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Return the filtered rows, or raise InvalidParameter for the first unknown, repeated or invalid parameter."""
        filterset_class = self.get_filterset_class(view, queryset)
        declared = set(filterset_class.base_filters) if filterset_class else set()
        prefixes = tuple(getattr(filterset_class, "open_prefixes", ()))
        paging = {"api_version"} | _paging_params(view) | set(getattr(view, "extra_query_params", ()))
        known = declared | paging
        for name, values in request.query_params.lists():
            if name not in known and not (prefixes and name.startswith(prefixes)):
                raise InvalidParameter(name, f"{name} is not a parameter of this list.")
            if len(values) > 1:
                raise InvalidParameter(name, f"{name} may be given once.")
            if not values[0] and name in known:
                # Treated as "no filter", it would widen the list.
                raise InvalidParameter(name, f"{name} is empty.")
            if "\x00" in values[0]:
                raise InvalidParameter(name, f"{name} has a character that is not allowed.")
        if filterset_class is None or paging.issuperset(request.query_params):
            # Nothing to filter by: save building a form of many fields.
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        if not filterset.is_valid():
            name, errors = next(iter(filterset.errors.items()))
            raise InvalidParameter(name, f"{name}: {errors[0]}")
        filtered: QuerySet[Any] = filterset.qs
        return filtered


def _paging_params(view: APIView) -> set[str]:
    paginator = getattr(view, "paginator", None)
    return set(getattr(paginator, "query_params", ()))
