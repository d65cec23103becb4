"""Creates a row of any model with all its relations, for tests of all models."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import models
from django.utils import timezone

from accounts.models import User
from core.ids import uuid7
from credits.models import CreditAccount
from monitoring.alerting.models import AlertRule
from renders.models import Batch, Render
from tests import factories

_numbers = count(1)
# Model -> factory taking its relations, for models whose columns do not suffice to create a row.
_MAKERS: dict[type[models.Model], Callable[..., Any]] = {
    User: factories.make_user,
    CreditAccount: lambda user: CreditAccount.objects.get(user=user),
    AlertRule: lambda: AlertRule.objects.create(name=f"Rule{next(_numbers)}", fire_above=2, clear_below=1),
    Batch: lambda **relations: Batch.objects.create(total=1, pending=1, **relations),
    Render: lambda owner, **relations: factories.make_render(owner, status="succeeded", **relations),
}
_VALUES: dict[type[models.Field[Any, Any]], Callable[[int], Any]] = {
    models.BooleanField: lambda number: False,
    models.DateTimeField: lambda number: timezone.now(),
    models.UUIDField: lambda number: uuid7(),
    models.JSONField: lambda number: {},
    models.BinaryField: lambda number: b"",
    models.GenericIPAddressField: lambda number: "192.0.2.1",
}


def fill_row(model: type[models.Model], *ancestors: type[models.Model]) -> Any:
    """Create a row of a model and of each model that it refers to, except the ancestors."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    relations = {
        field.name: fill_row(field.related_model, model, *ancestors)
        for field in fields
        if isinstance(field, models.ForeignKey) and field.related_model not in {model, *ancestors}
    }
    if make := _MAKERS.get(model):
        return make(**relations)
    columns = {field.name: _value_of(field) for field in fields if not field.is_relation and not field.has_default()}
    return model._default_manager.create(**columns, **relations)


def _value_of(field: models.Field[Any, Any]) -> Any:
    if field.null:
        return None
    number = next(_numbers)
    for kind, make in _VALUES.items():
        if isinstance(field, kind):
            return make(number)
    if field.choices:
        return field.flatchoices[0][0]
    if isinstance(field, models.CharField | models.TextField):
        return f"{number:03}"[-(field.max_length or 9) :]
    return number
