"""Views of the caller, API keys and tokens."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.authentication import Credential, bearer_text, client_address
from accounts.exceptions import Unauthenticated
from accounts.filters import KeyFilterSet
from accounts.limits import address_block
from accounts.models import ApiKey, User
from accounts.serializers import (
    KeyChangeSerializer,
    KeyCreateSerializer,
    KeyRotateSerializer,
    KeySerializer,
    LoginSerializer,
    MeSerializer,
    MintedKeySerializer,
    RefreshSerializer,
    RevokeSerializer,
    TokenPairSerializer,
)
from api.conditional import row_tag
from api.endpoints import ANY_SCOPE, Endpoint
from api.etags import EntityTag
from api.idempotency.views import IdempotentMixin, idempotent
from api.routing import api_path
from api.views import ApiView, ApiViewSet
from core.models import VersionedModel

NO_STORE = {"Cache-Control": "no-store"}


class MeView(ApiView):
    """The caller's account."""

    endpoints: ClassVar = {"get": Endpoint(ANY_SCOPE)}

    @extend_schema(operation_id="me_retrieve", responses=MeSerializer, tags=["identity"])
    def get(self, request: Request) -> Response:
        """Return the caller's account and what the credential of the request may do."""
        assert isinstance(request.user, User)
        return Response(MeSerializer(request.user, context={"request": request}).data)


@extend_schema_view(list=extend_schema(tags=["identity"]), retrieve=extend_schema(tags=["identity"]))
class KeyViewSet(IdempotentMixin, ApiViewSet):
    """API keys of the caller."""

    queryset = ApiKey.objects.all()
    endpoints: ClassVar = {
        "list": Endpoint("keys:read"),
        "retrieve": Endpoint("keys:read", row_etag=True),
        "create": Endpoint("keys:write"),
        "partial_update": Endpoint("keys:write"),
        "destroy": Endpoint("keys:write"),
        "rotate": Endpoint("keys:write"),
    }
    serializers: ClassVar = {"default": KeySerializer}
    filterset_class = KeyFilterSet

    def list(self, request: Request) -> Response:
        """List the keys, without their secrets."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        response["Cache-Control"] = "no-store"
        return response

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the name in the URL
        """Return one key, without its secret."""
        return Response(self.get_serializer(self.get_object()).data, headers=NO_STORE)

    @extend_schema(request=KeyCreateSerializer, responses={201: MintedKeySerializer}, tags=["identity"])
    @idempotent
    def create(self, request: Request) -> Response:
        """Create a key. Only this response contains its secret; replays of it do not."""
        body = self.validated(KeyCreateSerializer)
        return self.once(lambda: self._mint(body))

    def entity_tag(self, row: VersionedModel) -> EntityTag:
        """Return the ETag of a key, which depends on whether the key is active now."""
        assert isinstance(row, ApiKey)
        return row_tag(self.request, row, row.is_active)

    def _mint(self, body: dict[str, Any]) -> Response:
        minted = services.create_api_key(user=self.user, caller_scopes=self.caller_scopes, **self.origin, **body)
        location = api_path("key-detail", self._version(), id=minted.key.public_id)
        return self._answer_with_secret(minted, status.HTTP_201_CREATED, {"Location": location})

    @extend_schema(request=KeyChangeSerializer, responses=KeySerializer, tags=["identity"])
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        """Change a key's settings or remove scopes."""
        key = self.get_object()
        changes = self.validated(KeyChangeSerializer)
        with self.unchanged(key):
            services.update_api_key(key=key, changes=changes, caller_scopes=self.caller_scopes, **self.origin)
        return Response(self.get_serializer(key).data, headers=NO_STORE)

    @extend_schema(responses={204: None}, tags=["identity"])
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        """Revoke a key permanently; it stays in the list as revoked."""
        key = self.get_object()
        with self.unchanged(key):
            services.revoke_api_key(key=key, **self.origin)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=KeyRotateSerializer, responses=MintedKeySerializer, tags=["identity"])
    def rotate(self, request: Request, id: str) -> Response:  # noqa: A002
        """Replace the secret of a key; the old one stays valid for `overlap_s` seconds, by default 0."""
        key = self.get_object()
        body = self.validated(KeyRotateSerializer)
        minted = services.rotate_api_key(key=key, caller_scopes=self.caller_scopes, **self.origin, **body)
        return self._answer_with_secret(minted, status.HTTP_200_OK, {})

    @property
    def user(self) -> Any:
        """Return the caller."""
        return self.request.user

    @property
    def caller_scopes(self) -> frozenset[str]:
        """Return the scopes that the caller can grant."""
        assert isinstance(self.request.auth, Credential)
        return self.request.auth.scopes

    @property
    def origin(self) -> dict[str, Any]:
        """Return the caller and their address, for the audit log."""
        return {"actor": self.request.user, "address": client_address(self.request)}

    def _answer_with_secret(self, minted: services.MintedKey, code: int, headers: dict[str, str]) -> Response:
        context = {**self.get_serializer_context(), "plaintext": minted.plaintext}
        data = MintedKeySerializer(minted.key, context=context).data
        return Response(data, status=code, headers={**NO_STORE, **headers})


class TokenView(ApiView):
    """Log in with username and password."""

    authentication_classes = ()
    permission_classes = ()
    endpoints: ClassVar = {"post": Endpoint(ANY_SCOPE)}
    extra_problem_statuses = ("401", "403")

    @extend_schema(request=LoginSerializer, responses=TokenPairSerializer, tags=["identity"], auth=[])
    def post(self, request: Request) -> Response:
        """Return an access and a refresh token."""
        serializer = LoginSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        pair = services.log_in(
            **serializer.validated_data, address=address_block(request), client=client_address(request)
        )
        return Response(TokenPairSerializer(pair).data, headers=NO_STORE)


class TokenRefreshView(TokenView):
    """Refresh the tokens of a session."""

    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer, tags=["identity"], auth=[])
    def post(self, request: Request) -> Response:
        """Exchange a refresh token, which is valid once, for a new pair."""
        serializer = RefreshSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        pair = services.refresh_session(**serializer.validated_data)
        return Response(TokenPairSerializer(pair).data, headers=NO_STORE)


class TokenRevokeView(TokenView):
    """Revoke a session."""

    @extend_schema(request=RevokeSerializer, responses={204: None}, tags=["identity"], auth=[])
    def post(self, request: Request) -> Response:
        """Revoke all tokens of the session to which the given token belongs."""
        serializer = RevokeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tokens = set(serializer.validated_data.values()) or {bearer_text(request.META)}
        for token in tokens:
            if token is None:
                raise Unauthenticated("Give a token to revoke.")
            services.revoke_session(token=token)
        return Response(status=status.HTTP_204_NO_CONTENT, headers=NO_STORE)
