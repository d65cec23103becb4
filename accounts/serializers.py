"""Serializers of API keys, tokens and the caller."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import ApiKey, KeyType, User
from accounts.plans import limits_of
from api.serializers import StrictSerializer, TimeField
from core.scopes import ALL_SCOPES, expand

MAX_OVERLAP_S = 7 * 24 * 3600

MAX_NETWORKS = 50


def normalise_network(text: str) -> str:
    """Return a CIDR block or single address in canonical form; raise ValueError for anything else."""
    return str(ipaddress.ip_network(text.strip(), strict=False))


class GrantField(serializers.CharField):
    """A scope, all scopes of a resource such as `renders:*`, or `*`."""

    def to_internal_value(self, data: Any) -> str:
        """Refuse unknown scopes."""
        text: str = super().to_internal_value(data)
        try:
            expand([text])
        except ValueError as error:
            raise serializers.ValidationError("There is no such scope.", code="unknown_scope") from error
        return text


class NetworkField(serializers.CharField):
    """A CIDR block."""

    def to_internal_value(self, data: Any) -> str:
        """Return the block in canonical form."""
        try:
            return normalise_network(super().to_internal_value(data))
        except ValueError as error:
            message = "This is not a network in CIDR notation, such as 10.0.0.0/8."
            raise serializers.ValidationError(message, code="invalid_network") from error


class KeyChangeSerializer(StrictSerializer):
    """Body of `PATCH /keys/{id}`."""

    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    scopes = serializers.ListField(
        child=GrantField(max_length=50), min_length=1, max_length=2 * len(ALL_SCOPES), required=False
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_networks = serializers.ListField(child=NetworkField(max_length=50), max_length=MAX_NETWORKS, required=False)
    pinned_version = serializers.ChoiceField(
        choices=list(settings.RENDEROWL_API_VERSIONS), required=False, allow_null=True
    )

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        """Refuse a time in the past."""
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("This time is in the past.", code="in_the_past")
        return value


class KeyCreateSerializer(KeyChangeSerializer):
    """Body of `POST /keys`."""

    scopes = serializers.ListField(child=GrantField(max_length=50), min_length=1, max_length=2 * len(ALL_SCOPES))
    type = serializers.ChoiceField(choices=[KeyType.LIVE.value, KeyType.TEST.value], required=False)


class KeyRotateSerializer(StrictSerializer):
    """Body of `POST /keys/{id}/rotate`."""

    overlap_s = serializers.IntegerField(min_value=0, max_value=MAX_OVERLAP_S, required=False)


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key, without its secret."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    prefix = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    expires_at = TimeField(allow_null=True)
    last_used_at = TimeField(allow_null=True)
    revoked_at = TimeField(allow_null=True)
    created_at = TimeField()

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "object",
            "name",
            "type",
            "prefix",
            "status",
            "scopes",
            "allowed_networks",
            "pinned_version",
            "expires_at",
            "last_used_at",
            "revoked_at",
            "created_at",
        ]
        read_only_fields = fields

    def get_object(self, key: ApiKey) -> str:
        """Return the type name."""
        return "api_key"

    def get_prefix(self, key: ApiKey) -> str:
        """Return the beginning of the key, which identifies it."""
        return f"{key.head}_{key.key_prefix}"

    @extend_schema_field(serializers.ChoiceField(choices=["active", "expired", "revoked"]))
    def get_status(self, key: ApiKey) -> str:
        """Return active, expired or revoked."""
        if key.is_revoked:
            return "revoked"
        return "expired" if key.is_expired(timezone.now()) else "active"


class MintedKeySerializer(KeySerializer):
    """A key with its secret, which is never shown again. Context: `plaintext`."""

    key = serializers.SerializerMethodField()

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]
        read_only_fields = fields

    def get_key(self, key: ApiKey) -> str:
        """Return the whole key in plain text."""
        plaintext: str = self.context["plaintext"]
        return plaintext


class LoginSerializer(StrictSerializer):
    """Body of `POST /auth/token`."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    code = serializers.CharField(
        max_length=40,
        required=False,
        allow_blank=True,
        help_text="Code of the second factor, for accounts that have one.",
    )


class RefreshSerializer(StrictSerializer):
    """Body of `POST /auth/token/refresh`."""

    refresh = serializers.CharField(max_length=4096)


class RevokeSerializer(StrictSerializer):
    """Body of `POST /auth/token/revoke`: any token of the session; by default the one in the `Authorization` header."""

    token = serializers.CharField(max_length=4096, required=False)
    refresh = serializers.CharField(max_length=4096, required=False)
    access = serializers.CharField(max_length=4096, required=False)


class TokenPairSerializer(serializers.Serializer[Any]):
    """Access and refresh token of a session."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class LimitsSerializer(serializers.Serializer[Any]):
    """Limits of the caller's plan."""

    active_keys = serializers.IntegerField(read_only=True)
    concurrent_renders = serializers.IntegerField(read_only=True)


class CallerCredentialSerializer(serializers.Serializer[Any]):
    """The credential of the request."""

    kind = serializers.ChoiceField(choices=["key", "token"], read_only=True)
    key = serializers.SerializerMethodField()

    def get_key(self, credential: Any) -> str | None:
        """Return the id of the API key, None for an access token."""
        return credential.key.public_id if credential.key else None


class MeSerializer(serializers.ModelSerializer[User]):
    """The caller's account, and what the credential of the request may do."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    email = serializers.CharField(read_only=True)
    scopes = serializers.SerializerMethodField()
    credential = serializers.SerializerMethodField()
    limits = serializers.SerializerMethodField()
    created_at = TimeField()

    class Meta:
        model = User
        fields = [
            "id",
            "object",
            "username",
            "email",
            "plan",
            "is_staff",
            "scopes",
            "credential",
            "limits",
            "created_at",
        ]
        read_only_fields = fields

    def get_object(self, user: User) -> str:
        """Return the type name."""
        return "user"

    def get_scopes(self, user: User) -> list[str]:
        """Return the scopes of the credential, sorted."""
        return sorted(self.context["request"].auth.scopes)

    @extend_schema_field(CallerCredentialSerializer)
    def get_credential(self, user: User) -> dict[str, Any]:
        """Return the credential of the request."""
        return dict(CallerCredentialSerializer(self.context["request"].auth).data)

    @extend_schema_field(LimitsSerializer)
    def get_limits(self, user: User) -> dict[str, Any]:
        """Return the limits of the user's plan."""
        return dict(LimitsSerializer(limits_of(user.plan)).data)
