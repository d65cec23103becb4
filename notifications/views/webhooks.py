"""API views of webhook endpoints, deliveries and event types."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.idempotency.views import IdempotentMixin, idempotent
from api.routing import api_path
from api.views import ApiView, ApiViewSet
from core.exceptions import NotFound
from core.ids import decode_id
from notifications.filters import WebhookDeliveryFilterSet, WebhookEndpointFilterSet
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import WebhookEndpointKind
from notifications.serializers.webhooks import (
    WebhookDeliveryDetailSerializer,
    WebhookDeliverySerializer,
    WebhookEndpointChangeSerializer,
    WebhookEndpointCreateSerializer,
    WebhookEndpointSerializer,
    WebhookEndpointWithSecretSerializer,
    WebhookEventTypeListSerializer,
    WebhookEventTypeListV1Serializer,
    WebhookReplayResultSerializer,
    WebhookReplaySerializer,
)
from notifications.services import deliveries, endpoints
from notifications.services.endpoints import EndpointWithSecret
from notifications.webhooks.event_types import EVENT_TYPES

NO_STORE = {"Cache-Control": "no-store"}


class WebhookEndpointViewSet(ListModelMixin, RetrieveModelMixin, IdempotentMixin, ApiViewSet):
    """The caller's webhook endpoints."""

    queryset = WebhookEndpoint.objects.all()
    requires_if_match = True
    serializers = {"default": WebhookEndpointSerializer}
    endpoints = {
        "list": Endpoint("webhooks:read"),
        "retrieve": Endpoint("webhooks:read", row_etag=True),
        "of_renders": Endpoint("webhooks:read"),
        "create": Endpoint("webhooks:write"),
        "partial_update": Endpoint("webhooks:write"),
        "destroy": Endpoint("webhooks:write"),
        "rotate_secret": Endpoint("webhooks:write"),
        "test": Endpoint("webhooks:write"),
        "replay": Endpoint("webhooks:write"),
    }
    filterset_class = WebhookEndpointFilterSet

    @property
    def user(self) -> Any:
        """Return the authenticated user."""
        return self.request.user

    def get_queryset(self) -> Any:
        """Exclude the endpoint of renders from lists; its id still finds it."""
        rows = super().get_queryset()
        return rows.filter(kind=WebhookEndpointKind.SUBSCRIPTION) if self.action == "list" else rows

    @extend_schema(request=WebhookEndpointCreateSerializer, responses={201: WebhookEndpointWithSecretSerializer})
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Create an endpoint. Only this response contains its secret; a replayed response does not."""
        body = self.validated(WebhookEndpointCreateSerializer)
        return self.once(lambda: self._created(endpoints.create_endpoint(owner=self.user, **body)))

    def _created(self, made: EndpointWithSecret) -> Response:
        location = api_path("webhook-detail", self._version(), id=made.endpoint.public_id)
        headers = {"Location": location, **self.tag_headers(made.endpoint)}
        return self._with_secret(made, status.HTTP_201_CREATED, headers)

    @extend_schema(request=WebhookEndpointChangeSerializer, responses=WebhookEndpointSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change an endpoint, or enable or disable it."""
        endpoint = self.get_object()
        changes = self.validated(WebhookEndpointChangeSerializer)
        if "status" in changes:
            changes["is_enabled"] = changes.pop("status") == "enabled"
        with self.unchanged(endpoint):
            changed = endpoints.update_endpoint(endpoint=endpoint, changes=changes)
        return Response(WebhookEndpointSerializer(changed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete an endpoint. Its pending deliveries are not sent."""
        endpoint = self.get_object()
        with self.unchanged(endpoint):
            endpoints.delete_endpoint(endpoint=endpoint)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=WebhookEndpointSerializer, filters=False)
    def of_renders(self, request: Request, **kwargs: Any) -> Response:
        """Return the endpoint that represents the URLs of single renders; its secret signs their deliveries."""
        return Response(WebhookEndpointSerializer(endpoints.get_render_endpoint(owner_id=self.user.pk)).data)

    @extend_schema(request=None, responses=WebhookEndpointWithSecretSerializer)
    @idempotent
    def rotate_secret(self, request: Request, **kwargs: Any) -> Response:
        """Replace the secret now. For 24 hours deliveries are signed with the previous one as well."""
        endpoint = self.get_object()
        return self.once(lambda: self._with_secret(endpoints.rotate_secret(endpoint=endpoint), status.HTTP_200_OK, {}))

    @extend_schema(request=None, responses={202: WebhookDeliverySerializer})
    @idempotent
    def test(self, request: Request, **kwargs: Any) -> Response:
        """Send a `ping` to an endpoint."""
        endpoint = self.get_object()
        return self.once(lambda: accepted(deliveries.send_test(endpoint=endpoint), self._version()))

    @extend_schema(request=WebhookReplaySerializer, responses={202: WebhookReplayResultSerializer})
    @idempotent
    def replay(self, request: Request, **kwargs: Any) -> Response:
        """Send the failed deliveries of a time range again."""
        endpoint = self.get_object()
        body = self.validated(WebhookReplaySerializer)
        return self.once(lambda: self._replayed(deliveries.replay_failed(endpoint=endpoint, **body)))

    def _replayed(self, count: int) -> Response:
        body = WebhookReplayResultSerializer({"object": "webhook_replay", "replayed": count}).data
        return Response(body, status.HTTP_202_ACCEPTED)

    def _with_secret(self, made: EndpointWithSecret, code: int, headers: dict[str, str]) -> Response:
        body = WebhookEndpointWithSecretSerializer(made.endpoint, context={"secret": made.secret}).data
        return Response(body, status=code, headers={**NO_STORE, **headers})


class EndpointDeliveryViewSet(ListModelMixin, ApiViewSet):
    """The deliveries to one endpoint."""

    queryset = WebhookDelivery.objects.with_attempts()
    filterset_class = WebhookDeliveryFilterSet
    serializers = {"default": WebhookDeliverySerializer}
    endpoints = {"list": Endpoint("webhooks:read")}

    def get_queryset(self) -> Any:
        """Return the deliveries to the endpoint in the path."""
        rows = super().get_queryset()
        return rows if getattr(self, "swagger_fake_view", False) else rows.filter(endpoint=self._endpoint())

    def _endpoint(self) -> WebhookEndpoint:
        try:
            pk = decode_id(WebhookEndpoint.ID_PREFIX, self.kwargs["id"])
            return WebhookEndpoint.objects.for_owner(self.request.user).get(pk=pk)
        except (ValueError, WebhookEndpoint.DoesNotExist):
            raise NotFound from None


class WebhookDeliveryViewSet(RetrieveModelMixin, IdempotentMixin, ApiViewSet):
    """Single deliveries of the caller's endpoints."""

    queryset = WebhookDelivery.objects.with_attempts()
    serializers = {"default": WebhookDeliveryDetailSerializer}
    endpoints = {
        "retrieve": Endpoint("webhooks:read", row_etag=True),
        "redeliver": Endpoint("webhooks:write"),
    }

    @extend_schema(request=None, responses={202: WebhookDeliverySerializer})
    @idempotent
    def redeliver(self, request: Request, **kwargs: Any) -> Response:
        """Send a delivery again now, under the same id."""
        delivery = self.get_object()
        return self.once(lambda: accepted(deliveries.redeliver(delivery=delivery), self._version()))


class WebhookEventTypesView(ApiView):
    """The event types of webhooks."""

    endpoints = {"get": Endpoint("webhooks:read")}

    @extend_schema(operation_id="webhook_event_types_list", responses=WebhookEventTypeListSerializer, tags=["webhooks"])
    def get(self, request: Request) -> Response:
        """List the event types that endpoints can subscribe to."""
        page = {"object": "list", "data": _event_types(), "has_more": False, "next_cursor": None, "prev_cursor": None}
        return Response(WebhookEventTypeListSerializer(page).data)


class WebhookEventTypesViewV1(WebhookEventTypesView):
    """The event types of webhooks, in the list format of version 1."""

    @extend_schema(
        operation_id="webhook_event_types_list", responses=WebhookEventTypeListV1Serializer, tags=["webhooks"]
    )
    def get(self, request: Request) -> Response:
        """List the event types that endpoints can subscribe to."""
        rows = _event_types()
        pages = {"page": 1, "per_page": len(rows), "total": len(rows), "total_pages": 1}
        return Response(WebhookEventTypeListV1Serializer({"data": rows, "pagination": pages}).data)


def _event_types() -> list[dict[str, str]]:
    return [
        {"type": one.name, "object": "webhook_event_type", "about": one.object, "summary": one.summary}
        for one in EVENT_TYPES
    ]


def accepted(delivery: WebhookDelivery, version: int) -> Response:
    """Return a 202 response with the delivery and its location."""
    location = api_path("delivery-detail", version, id=delivery.public_id)
    return Response(WebhookDeliverySerializer(delivery).data, status.HTTP_202_ACCEPTED, headers={"Location": location})
