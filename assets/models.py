"""Uploaded and imported files, and the holds that keep them from being deleted."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models

from core.cache_tags.registry import cache_tagged
from core.indexes import NamedIndex
from core.models import BaseModel, VersionedModel
from engine.media import MediaKind


class AssetStatus(models.TextChoices):
    """Where an asset stands."""

    PENDING = "pending"  # its import is on the way
    READY = "ready"
    FAILED = "failed"  # its import came to nothing; `error` says why


def kind_choices() -> list[tuple[str, str]]:
    """Return the kinds of media; a callable, so that a new kind needs no migration."""
    return [(kind.value, kind.value) for kind in MediaKind]


class AssetQuerySet(models.QuerySet["Asset"]):
    """Questions about assets."""

    def for_owner(self, user: Any) -> Self:
        """Return the assets of one user."""
        return self.filter(owner=user)

    def ready(self) -> Self:
        """Return the assets that an edit can use."""
        return self.filter(status=AssetStatus.READY)

    def with_references(self) -> Self:
        """Add `references`, the number of holds, to each row."""
        holds = AssetHold.objects.filter(asset=models.OuterRef("pk")).order_by().values("asset")
        counted = holds.annotate(number=models.Count("pk")).values("number")
        return self.annotate(
            references=models.functions.Coalesce(models.Subquery(counted), 0, output_field=models.IntegerField())
        )


@cache_tagged("assets", owner="owner_id")
class Asset(VersionedModel):
    """A media file of an account.

    kind, content_type, probe: by content, never by name; empty until the file is there.
    project_id: opaque here; the app of the projects lies above this one.
    storage_key: where the bytes lie. Assets of one owner with equal bytes may share it.
    error: {"code", "detail"} of a failed import.
    """

    ID_PREFIX: ClassVar[str] = "ast"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="assets",
        db_index=False,  # three indexes start with it
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

    # Not a column: how many hold the asset, where `with_references` counted them.
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
            # An upload looks for a file of its owner with the same bytes.
            NamedIndex(fields=["owner", "sha256"], name="idx_assets_user_sha256"),
            # "Does any row still use this file?", before the file is removed.
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
        """Return whether an edit can use the asset."""
        return self.status == AssetStatus.READY


@cache_tagged("assets", owner="asset_id", through=Asset)
class AssetHold(BaseModel):
    """Somebody needs an asset until they release it; meanwhile it cannot be deleted.

    reference: who, e.g. `render:<uuid>`; label: the same as clients know it, e.g. `rnd_...`.
    """

    ID_PREFIX: ClassVar[str] = "hld"

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="holds", db_index=False)
    reference = models.CharField(max_length=100)
    label = models.CharField(max_length=100)

    class Meta:
        indexes = [
            # Release: all holds of one holder.
            NamedIndex(fields=["reference"], name="idx_asset_holds_reference"),
        ]
        constraints = [
            # Makes holding safe to repeat; also the index that finds the holds of an asset.
            models.UniqueConstraint(fields=["asset", "reference"], name="uniq_asset_hold_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.label} holds {self.asset_id}"
