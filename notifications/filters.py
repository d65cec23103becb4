"""Filter sets of the API lists."""

from __future__ import annotations

import django_filters

from api.filters import ApiFilterSet, BooleanFilter, ChoicesFilter
from notifications.models import Notification, WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import delivery_status_choices


class _TextListFilter(django_filters.BaseInFilter, django_filters.CharFilter):
    """One or more values, separated by commas."""


class NotificationFilterSet(ApiFilterSet):
    """Filters of `GET /notifications`."""

    kind = _TextListFilter(lookup_expr="in")
    unread = BooleanFilter(field_name="read_at", lookup_expr="isnull")

    class Meta:
        model = Notification
        fields: tuple[str, ...] = ()


class WebhookEndpointFilterSet(ApiFilterSet):
    """Filters of `GET /webhooks`."""

    class Meta:
        model = WebhookEndpoint
        fields: tuple[str, ...] = ()


class WebhookDeliveryFilterSet(ApiFilterSet):
    """Filters of `GET /webhooks/{id}/deliveries`."""

    status = ChoicesFilter(choices=delivery_status_choices)
    type = _TextListFilter(lookup_expr="in")
    resource = django_filters.CharFilter()

    class Meta:
        model = WebhookDelivery
        fields: tuple[str, ...] = ()
