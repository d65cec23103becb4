"""Users, API keys, revoked tokens, second factors, the audit log, and calls to deprecated routes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.plans import AccountPlan
from core.append_only import AppendOnlyModel, AppendOnlyQuerySet
from core.indexes import NamedIndex
from core.models import BaseModel, VersionedModel
from core.scopes import ALL_SCOPES, PUBLIC_SCOPES, RESTRICTED_SCOPES, STAFF_SCOPES


def plan_choices() -> list[tuple[str, str]]:
    """Return the choices of a plan; a callable, so that a new plan needs no migration."""
    return list(AccountPlan.choices)


def signup_plan() -> str:
    """Return the plan of new users, from the settings."""
    plan: str = settings.RENDEROWL_SIGNUP_PLAN
    return plan


class UserManager(DjangoUserManager["User"]):
    """Creates superusers on the plan of staff, also for `createsuperuser`."""

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra_fields: Any
    ) -> User:
        """Return a new superuser, on the enterprise plan by default."""
        extra_fields.setdefault("plan", AccountPlan.ENTERPRISE)
        return super().create_superuser(username, email, password, **extra_fields)


class User(BaseModel, AbstractUser):
    """A person or program that owns objects. granted_scopes: restricted scopes that staff granted to this user."""

    ID_PREFIX: ClassVar[str] = "usr"

    email = models.EmailField("email address", blank=True, default="")
    plan = models.CharField(max_length=20, choices=plan_choices, default=signup_plan)
    is_suspended = models.BooleanField("suspended", default=False)
    granted_scopes = models.JSONField(default=list, blank=True)

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        permissions = [("suspend_user", "Can suspend and resume users")]
        constraints = [
            # No two accounts share an address, whatever its case; programs may have none.
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_unique", condition=~Q(email="")),
        ]

    def clean(self) -> None:
        """Convert the email address to lower case."""
        super().clean()
        self.email = self.email.lower()

    @property
    def scopes(self) -> frozenset[str]:
        """Return the scopes that this user's credentials may have now."""
        granted = RESTRICTED_SCOPES.intersection(self.granted_scopes)
        return PUBLIC_SCOPES | granted | (STAFF_SCOPES if self.is_staff else frozenset())


class KeyType(models.TextChoices):
    """Type of a key; part of its text, so that leak scanners can tell them apart."""

    LIVE = "live"
    TEST = "test"
    WORKER = "worker"


def key_type_choices() -> list[tuple[str, str]]:
    """Return the choices of a key type; a callable, so that a new type needs no migration."""
    return list(KeyType.choices)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Queries on API keys."""

    def for_owner(self, user: Any) -> Self:
        """Filter for the keys of one user."""
        return self.filter(user=user)

    def active(self) -> Self:
        """Filter for keys neither revoked nor expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


class ApiKey(VersionedModel):
    """A long-lived credential, of which only a digest is stored.

    key_prefix: the 8 characters of the key that identify it; digest: SHA-256 of the whole key, hexadecimal.
    previous_digest: of the secret replaced by a rotation; valid until previous_valid_until.
    scopes: as expanded when the key was created; only those that the owner has too are in force.
    allowed_networks: CIDR blocks; empty allows any address.
    """

    ID_PREFIX: ClassVar[str] = "key"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys", db_index=False)
    key_prefix = models.CharField(max_length=8, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    previous_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    previous_valid_until = models.DateTimeField(null=True, blank=True, editable=False)
    type = models.CharField(max_length=10, choices=key_type_choices, default=KeyType.LIVE)
    name = models.CharField(max_length=100, blank=True, default="")
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    allowed_networks = models.JSONField(default=list, blank=True)
    pinned_version = models.PositiveSmallIntegerField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    # Set by `selectors.find_key` only.
    tag_versions: str | None = None

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        permissions = [("revoke_apikey", "Can revoke API keys")]
        constraints = [
            # Authentication looks a key up by its prefix. An expression, so that Django creates a named unique index on
            # SQLite too.
            models.UniqueConstraint(F("key_prefix"), name="idx_api_keys_key_prefix"),
        ]
        indexes = [
            # `GET /keys`, and the count of a user's active keys.
            NamedIndex(fields=["user", "-created_at"], name="idx_api_keys_user"),
        ]

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """Return the key without its secret, for display."""
        return f"{self.head}_{self.key_prefix}_…"

    @property
    def head(self) -> str:
        """Return the beginning of keys of this type, e.g. `ro_live`."""
        return f"ro_{'wrk' if self.type == KeyType.WORKER else self.type}"

    @property
    def is_revoked(self) -> bool:
        """Return whether the key was revoked."""
        return self.revoked_at is not None

    def is_expired(self, now: datetime) -> bool:
        """Return whether the key had expired by `now`."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def is_active(self) -> bool:
        """Return whether the key is neither revoked nor expired; the owner is not checked."""
        return not self.is_revoked and not self.is_expired(timezone.now())

    @property
    def granted_scopes(self) -> frozenset[str]:
        """Return the scopes of the key, whatever its owner has; scopes that no longer exist are left out."""
        return ALL_SCOPES.intersection(self.scopes)


class RevokedToken(BaseModel):
    """A token or session revoked before it expired. token_id: `jti` of the token or `sid` of the session."""

    ID_PREFIX: ClassVar[str] = "rvk"

    token_id = models.CharField(max_length=64, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", null=True, editable=False)
    expires_at = models.DateTimeField(editable=False, db_index=True)

    def __str__(self) -> str:
        return self.token_id


class AuditEntry(AppendOnlyModel):
    """An entry of the audit log.

    actor: None for the system and for commands; actor_name outlives the account.
    subject: public id of the object of the action.
    """

    ID_PREFIX: ClassVar[str] = "aud"

    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    actor_name = models.CharField(max_length=150, blank=True, default="", editable=False)
    action = models.CharField(max_length=60, editable=False)
    subject = models.CharField(max_length=100, editable=False)
    details = models.JSONField(default=dict, editable=False)
    address = models.GenericIPAddressField(null=True, editable=False)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            # The admin's list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_audit_created"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class SecondFactor(BaseModel):
    """The authenticator app of a user.

    salt: the shared secret is derived from it and SECRET_KEY, so the database alone does not reveal any codes.
    last_step: time step of the last accepted code; codes of this and earlier steps are refused.
    """

    ID_PREFIX: ClassVar[str] = "sfa"

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="second_factor", editable=False)
    salt = models.CharField(max_length=64, editable=False)
    last_step = models.BigIntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return f"of {self.user}"


class RecoveryCode(BaseModel):
    """A one-time code to log in without the app. digest: SHA-256 of the code, which has 80 random bits."""

    ID_PREFIX: ClassVar[str] = "rcv"

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes", db_index=False)
    digest = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            # Verification looks a code up; by factor alone, unused codes are counted.
            models.UniqueConstraint(F("factor"), F("digest"), name="idx_recovery_codes_factor_digest"),
        ]

    def __str__(self) -> str:
        return "used" if self.used_at else "unused"


class DeprecatedCall(BaseModel):
    """Number of calls of an API key to a deprecated route."""

    ID_PREFIX: ClassVar[str] = "dpc"

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="deprecated_calls", db_index=False)
    version = models.PositiveSmallIntegerField()
    route = models.CharField(max_length=100)
    calls = models.PositiveBigIntegerField()
    first_called_at = models.DateTimeField()
    last_called_at = models.DateTimeField()

    class Meta:
        constraints = [
            # The row to which a count is added.
            models.UniqueConstraint(F("key"), F("version"), F("route"), name="idx_deprecated_calls_unique"),
        ]
        indexes = [
            # The admin's list, latest first.
            NamedIndex(fields=["-last_called_at"], name="idx_deprecated_calls_last"),
            # Owners to notify about a version: its callers since the deprecation.
            NamedIndex(fields=["version", "last_called_at"], name="idx_deprecated_calls_version"),
        ]

    def __str__(self) -> str:
        return f"v{self.version} {self.route}"


class DeprecationNoticeKind(models.TextChoices):
    """Kind of a notice: after the first call, then by the time left until the sunset."""

    FIRST_USE = "first_use", "first use"
    DAYS_90 = "days_90", "90 days"
    DAYS_30 = "days_30", "30 days"
    DAYS_7 = "days_7", "7 days"


def deprecation_notice_kind_choices() -> list[tuple[str, str]]:
    """Return the choices of a kind; a callable, so that a new kind needs no migration."""
    return list(DeprecationNoticeKind.choices)


class DeprecationNotice(BaseModel):
    """A notice to a user about a deprecated version or route: one per kind and, except at first use, per sunset date.

    subject: `v1` or `v2:render-log`; due: the announced sunset, empty at first use.
    calls: number of calls counted when the notice was created.
    email_due_at: time of the next attempt to send the email; None if there is no email to send.
    """

    ID_PREFIX: ClassVar[str] = "dpn"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    subject = models.CharField(max_length=110)
    kind = models.CharField(max_length=20, choices=deprecation_notice_kind_choices)
    due = models.CharField(max_length=40, blank=True, default="")
    calls = models.PositiveBigIntegerField()
    email_due_at = models.DateTimeField(null=True, blank=True)
    emailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # Prevents duplicate notices; subject comes first, to find all notices about one.
            models.UniqueConstraint(
                F("subject"), F("user"), F("kind"), F("due"), name="idx_deprecation_notices_unique"
            ),
        ]
        indexes = [
            # The admin's list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_deprecation_notices_created"),
            # Emails to send; nearly all rows have none.
            NamedIndex(
                fields=["email_due_at"], name="idx_deprecation_notices_email", condition=Q(email_due_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.kind}"
