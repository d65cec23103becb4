"""Base views of all endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from api.conditional import ConditionalView
from api.endpoints import Endpoint, endpoint_of
from api.features import require_feature
from api.negotiation import negotiate
from api.pagination import CursorPagination, PagePagination
from api.ratelimit.exceptions import RateLimited
from api.renderers import JsonRenderer
from api.throttling import AccountThrottle, add_limit_headers, refusal_headers
from core.exceptions import NotFound
from core.ids import decode_id


class ApiView(APIView):
    """A view of the API.

    endpoints: by action, or by method of a plain view; what is not declared is closed.
    route_name, feature: set by the route.
    """

    endpoints: ClassVar[Mapping[str, Endpoint]] = {}
    throttle_classes: Sequence[type[BaseThrottle]] = (AccountThrottle,)
    route_name = ""
    feature = ""
    versioning_class = None

    @property
    def endpoint(self) -> Endpoint | None:
        """Return the declaration of the current action."""
        return endpoint_of(self, self.request.method or "")

    def units_of(self, request: Request) -> int:
        """Return how many operations of its class a request counts as."""
        return 1

    def determine_version(  # type: ignore[override]  # versions are numbers here
        self, request: Request, *args: Any, **kwargs: Any
    ) -> tuple[int, None]:
        """Return the version that the middleware has selected."""
        version: int = getattr(request, "api_version", 0) or getattr(request._request, "api_version", 0)  # noqa: SLF001
        return version, None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check in the documented order: 401, then 429, then 403, then 404 for absent features."""
        self.format_kwarg = self.get_format_suffix(**kwargs)
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        request.version, request.versioning_scheme = self.determine_version(request, *args, **kwargs)  # type: ignore[assignment]
        self.perform_authentication(request)
        if self.permission_classes and not request.user.is_authenticated:
            raise exceptions.NotAuthenticated
        self.check_throttles(request)
        self.check_permissions(request)
        self.check_features(request)

    def check_features(self, request: Request) -> None:
        """Raise FeatureAbsent if the path or a parameter belongs to a feature that the version lacks."""
        version = int(request.version or 0)
        if self.feature:
            require_feature(self.feature, version, "this path")
        for parameter, feature in self.endpoint.feature_parameters.items() if self.endpoint else ():
            if parameter in request.query_params:
                require_feature(feature, version, f"the parameter {parameter}")

    def handle_exception(self, exc: Exception) -> Response:
        """Add the headers of a 429: the limit that refused comes first."""
        if isinstance(exc, RateLimited):
            self.headers: dict[str, Any]
            self.headers.update(refusal_headers(exc, self.request))
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add rate limit headers."""
        response = super().finalize_response(request, response, *args, **kwargs)
        add_limit_headers(request, response, self)
        return response

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """Choose the renderer: JSON, unless the view has others."""
        renderers = self.get_renderers()
        if len(renderers) > 1 or not isinstance(renderers[0], JsonRenderer):
            return super().perform_content_negotiation(request, force)
        media_type = negotiate(request.headers.get("Accept"))
        if media_type is None and not force:
            raise exceptions.NotAcceptable(available_renderers=renderers)
        return renderers[0], media_type or renderers[0].media_type


class ApiViewSet(ConditionalView, ApiView, GenericViewSet[Any]):
    """A resource of the API.

    queryset: its `for_owner(user)` returns the caller's rows: another account's row answers 404.
    serializers: action -> serializer class, `default` for the rest; `<action>_v1` overrides it in version 1.
    """

    serializers: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}
    lookup_field = "id"
    lookup_url_kwarg = "id"

    @property
    def pagination_class(self) -> type[BasePagination]:  # type: ignore[override]
        """Return the paginator of the request's version."""
        return PagePagination if self._version() == 1 else CursorPagination

    def _version(self) -> int:
        return int(getattr(getattr(self, "request", None), "version", 0) or 2)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the caller's rows."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        return rows.for_owner(self.request.user)  # type: ignore[attr-defined, no-any-return]

    def get_object(self) -> Any:
        """Return the row of the URL's public id, if the request's conditions hold: see `api.conditional`.

        Raises NotFound for an id that is malformed, missing or another account's; then as `check_conditions`.
        """
        row = self.find_row()
        if row is None:
            raise NotFound
        self.check_conditions(row)
        return row

    def find_row(self) -> Any:
        """Return the row without checking conditions, None if it does not exist."""
        rows: Any = self.get_queryset()
        try:
            pk = decode_id(rows.model.ID_PREFIX, self.kwargs[self.lookup_url_kwarg])
            return rows.get(pk=pk)
        except (ValueError, ObjectDoesNotExist):
            return None

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return the serializer of the action in the request's version."""
        action = self.action or ""
        for name in (f"{action}_v{self._version()}", action, f"default_v{self._version()}"):
            if name in self.serializers:
                return self.serializers[name]
        return self.serializers["default"]

    def validated(self, serializer_class: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """Return the validated members of the body; raise ValidationError, which answers 422 with JSON pointers."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
