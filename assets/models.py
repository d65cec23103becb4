"""Assets, and the holds that prevent their deletion."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models

from core.cache_tags.registry import cache_tagged
from core.indexes import NamedIndex
from core.models import BaseModel, VersionedModel
from engine.media import MediaKind


class AssetStatus(models.TextChoices):
    """State of an asset."""

    PENDING = "pending"  # being imported
    READY = "ready"
    FAILED = "failed"  # the import failed, see `error`


def kind_choices() -> list[tuple[str, str]]:
    """Return the kinds of media; a callable, so that a new kind needs no migration."""
    return [(kind.value, kind.value) for kind in MediaKind]


class AssetQuerySet(models.QuerySet["Asset"]):
    """Queries on assets."""

    def for_owner(self, user: Any) -> Self:
        """Filter for the assets of one user."""
        return self.filter(owner=user)

    def ready(self) -> Self:
        """Filter for assets that edits can use."""
        return self.filter(status=AssetStatus.READY)

    def with_references(self) -> Self:
        """Annotate each row with `references`, the number of its holds."""
        holds = AssetHold.objects.filter(asset=models.OuterRef("pk")).order_by().values("asset")
        counted = holds.annotate(number=models.Count("pk")).values("number")
        return self.annotate(
            references=models.functions.Coalesce(models.Subquery(counted), 0, output_field=models.IntegerField())
        )


@cache_tagged("assets", owner="owner_id")
class Asset(VersionedModel):
    """A media file of an account.

    kind, content_type, probe: from the content, never from the name; empty until the file is stored.
    project_id: not a foreign key, as the app of projects is in a higher layer.
    storage_key: of the file. Assets of one owner with equal content may share it.
    error: {"code", "detail"} of a failed import.
    """

    ID_PREFIX: ClassVar[str] = "ast"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="assets",
        db_index=False,  # three composite indexes begin with it
    )
    project_id = models.UUIDField(null=True, blank=True)
    kind = models.CharField(max_length=16, choices=kind_choices, blank=True, default="")
    status = models.CharField(max_length=16, choices=AssetStatus, default=AssetStatus.PENDING)
    name = models.CharField(max_length=255)
    size_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True, default="")
    content_type = models.CharField(max_length=100, blank=True, default="")
    probe = models.JSONField(null=True, blank=True)
    source_url = models.TextField("source URL", blank=True, default="")
    storage_key = models.CharField(max_length=200, blank=True, default="")
    poster_key = models.CharField(max_length=200, blank=True, default="")
    error = models.JSONField(null=True, blank=True)

    # Not a column: set by `with_references`.
    references: int = 0

    objects = AssetQuerySet.as_manager()

    class Meta:
        indexes = [
            # `GET /assets?kind=video`, newest first.
            NamedIndex(fields=["owner", "kind", "-created_at", "-id"], name="idx_assets_user_type"),
            # `GET /assets`, newest first.
            NamedIndex(fields=["owner", "-created_at", "-id"], name="idx_assets_user_created"),
            # `GET /assets?project=prj_...`, newest first.
            NamedIndex(fields=["project_id", "-created_at", "-id"], name="idx_assets_project"),
            # An upload looks for an asset of the owner with the same content.
            NamedIndex(fields=["owner", "sha256"], name="idx_assets_user_sha256"),
            # Before a file is removed: assets that still use it.
            NamedIndex(fields=["storage_key"], name="idx_assets_storage_key"),
            # The admin's list and its date hierarchy.
            NamedIndex(fields=["created_at"], name="idx_assets_created"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(status="ready") | (~models.Q(storage_key="") & ~models.Q(sha256="")),
                name="assets_ready_has_a_file",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def is_ready(self) -> bool:
        """Return whether edits can use the asset."""
        return self.status == AssetStatus.READY


@cache_tagged("assets", owner="asset_id", through=Asset)
class AssetHold(BaseModel):
    """Prevents the deletion of an asset until it is released.

    reference: of the holder, e.g. `render:<uuid>`; label: its public id, e.g. `rnd_...`.
    """

    ID_PREFIX: ClassVar[str] = "hld"

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="holds", db_index=False)
    reference = models.CharField(max_length=100)
    label = models.CharField(max_length=100)

    class Meta:
        indexes = [
            # Release of all holds of one holder.
            NamedIndex(fields=["reference"], name="idx_asset_holds_reference"),
        ]
        constraints = [
            # Makes taking a hold idempotent; the index also finds the holds of an asset.
            models.UniqueConstraint(fields=["asset", "reference"], name="uniq_asset_hold_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.label} holds {self.asset_id}"
