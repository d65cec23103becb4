"""Filters of lists: declared with django-filter, strict about what they do not know."""

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
    # DRF loads this module, named in its settings, while its own views module is half loaded.
    from rest_framework.views import APIView


class _ChoicesField(BaseCSVField):
    """Choices between commas. Django's field takes an empty one for no choice at all."""

    def clean(self, value: Any) -> Any:
        """Return the choices."""
        if value is not None and "" in value:
            raise ValidationError("There is an empty value between the commas.")
        return super().clean(value)


class ChoicesFilter(django_filters.BaseInFilter, django_filters.ChoiceFilter):
    """One or more of the choices, separated by commas: `status=queued,rendering`."""

    base_field_class = _ChoicesField


class _UtcField(IsoDateTimeField):
    """A time that every database can hold."""

    def to_python(self, value: Any) -> Any:
        """Return the time in UTC; one that lies outside of the calendar there is refused."""
        moment: datetime | None = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise ValidationError("The time is out of range.") from None


class TimeFilter(django_filters.IsoDateTimeFilter):
    """A time in ISO 8601; without an offset it is UTC."""

    field_class = _UtcField


class _StrictBooleanField(forms.NullBooleanField):
    """true or false. Django's own field reads what it does not understand as "no filter"."""

    def clean(self, value: Any) -> bool | None:
        """Return the boolean; None where nothing was asked."""
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
    """The filters that every list has. `open_prefixes` names families such as `metadata[`."""

    open_prefixes: tuple[str, ...] = ()

    created_at__gte = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_at__lt = TimeFilter(field_name="created_at", lookup_expr="lt")


class StrictFilterBackend(DjangoFilterBackend):
    """Apply a view's filterset; refuse what it does not declare, so that a typo never widens a list."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Return the filtered rows.

        Raises InvalidParameter for the first unknown or repeated parameter or unusable value.
        """
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
                # Read as "no filter", it would widen the list.
                raise InvalidParameter(name, f"{name} is empty.")
            if "\x00" in values[0]:
                raise InvalidParameter(name, f"{name} has a character that is not allowed.")
        if filterset_class is None or paging.issuperset(request.query_params):
            # Nothing to filter by: a form of many fields need not be built to find that out.
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
