"""Admin of assets."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from assets import services
from assets.exceptions import AssetInUse
from assets.models import Asset, AssetHold, AssetStatus
from assets.staging import POSTER_TYPES
from core.admin import AuditedForms, ReadOnlyAdmin, ReadOnlyRows, audited, short_text
from core.exceptions import NotFound
from engine.media import MediaKind
from files.links import signed_path

_LABELS = {AssetStatus.READY: "success", AssetStatus.PENDING: "info", AssetStatus.FAILED: "danger"}
_PLAYERS = {
    MediaKind.VIDEO: '<video controls preload="metadata" style="max-width:640px;max-height:480px" src="{}"></video>',
    MediaKind.AUDIO: '<audio controls preload="metadata" src="{}"></audio>',
    MediaKind.IMAGE: '<img alt="" style="max-width:640px;max-height:480px" src="{}">',
}


class AssetHoldInline(ReadOnlyRows, TabularInline):
    """Holds on the asset."""

    model = AssetHold
    fields = ("label", "reference", "created_at")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "active references"


@admin.register(Asset)
class AssetAdmin(AuditedForms, ReadOnlyRows, ModelAdmin):
    """Assets of all accounts, with a preview; staff may delete them but not change them."""

    list_display = ("thumbnail", "show_name", "owner", "show_kind", "show_status", "show_size", "created_at")
    list_display_links = ("thumbnail", "show_name")
    list_filter = ("kind", "status")
    search_fields = ("=id", "name", "owner__username", "sha256")
    list_select_related = ("owner",)
    raw_id_fields = ("owner",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    inlines = (AssetHoldInline,)
    actions = ("delete_unheld",)
    fieldsets = (
        (None, {"fields": ("player", "show_id", "name", "owner", "project_id", "status", "error", "created_at")}),
        ("File", {"fields": ("kind", "content_type", "show_size", "sha256", "probe", "source_url", "storage_key")}),
    )
    readonly_fields = (
        "player",
        "show_id",
        "name",
        "owner",
        "project_id",
        "status",
        "error",
        "created_at",
        "kind",
        "content_type",
        "show_size",
        "sha256",
        "probe",
        "source_url",
        "storage_key",
    )

    def get_actions(self, request: HttpRequest) -> Any:
        """Remove Django's delete action, which ignores holds and stored files."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def delete_model(self, request: HttpRequest, obj: Asset) -> None:
        """Delete through the service, which refuses assets in use."""
        services.delete_asset(asset=obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Report holds taken after the confirmation page was shown."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except AssetInUse as error:
            self.message_user(request, f"Needed by {', '.join(error.members['conflicts'])}.", messages.ERROR)
            return redirect("admin:assets_asset_change", object_id)

    def has_delete_permission(self, request: HttpRequest, obj: Asset | None = None) -> bool:
        """Hide the delete button of assets in use."""
        allowed: bool = ModelAdmin.has_delete_permission(self, request, obj)
        return allowed and (obj is None or not obj.holds.exists())

    @admin.action(description="Delete (assets in use are kept)", permissions=["delete"])
    def delete_unheld(self, request: HttpRequest, queryset: QuerySet[Asset]) -> None:
        """Delete the selected assets, and report those in use by active renders."""
        deleted, in_use = 0, []
        for asset in queryset:
            try:
                with audited(request, "asset.deleted", asset.public_id, name=asset.name):
                    services.delete_asset(asset=asset)
                deleted += 1
            except AssetInUse as error:
                in_use.append(f"{asset.name}: needed by {', '.join(error.members['conflicts'])}")
            except NotFound:
                continue
        if deleted:
            self.message_user(request, f"Deleted {deleted} assets.", messages.SUCCESS)
        for line in in_use:
            self.message_user(request, line, messages.WARNING)

    @admin.display(description="")
    def thumbnail(self, row: Asset) -> SafeString | str:
        """Return an image tag of the poster, or the kind if there is none."""
        if not row.poster_key:
            return row.kind or "—"
        ending = row.poster_key.rpartition(".")[2]
        url = signed_path(key=row.poster_key, content_type=POSTER_TYPES[ending], filename=f"poster.{ending}").url
        style = "height:40px;max-width:72px;object-fit:cover;border-radius:4px"
        return format_html('<img src="{}" alt="" loading="lazy" style="{}">', url, style)

    @admin.display(description="Preview")
    def player(self, row: Asset) -> SafeString | str:
        """Return a tag that shows or plays the file."""
        template = _PLAYERS.get(MediaKind(row.kind)) if row.is_ready else None
        if template is None:
            return "—"
        link = signed_path(key=row.storage_key, content_type=row.content_type, filename=row.name, tag=row.sha256)
        return format_html(template, link.url)

    @admin.display(description="Id")
    def show_id(self, row: Asset) -> str:
        """Return the public id."""
        return row.public_id

    @admin.display(description="Name", ordering="name")
    def show_name(self, row: Asset) -> str:
        """Return the name, shortened to leave room for the other columns."""
        return short_text(row.name)

    @admin.display(description="Kind", ordering="kind")
    def show_kind(self, row: Asset) -> str:
        """Return the kind of media, if known."""
        return row.kind or "—"

    @display(description="Status", label=_LABELS, ordering="status")  # type: ignore[untyped-decorator]
    def show_status(self, row: Asset) -> Any:
        """Return value and label of the status, for a coloured badge."""
        return row.status, row.get_status_display()

    @admin.display(description="Size", ordering="size_bytes")
    def show_size(self, row: Asset) -> str:
        """Return the size in a human-readable form."""
        return "—" if row.size_bytes is None else filesizeformat(row.size_bytes)


@admin.register(AssetHold)
class AssetHoldAdmin(ReadOnlyAdmin):
    """Holds on assets."""

    list_display = ("asset", "label", "reference", "created_at")
    search_fields = ("label", "=reference")
    list_filter = (("created_at", admin.DateFieldListFilter),)
    list_select_related = ("asset",)
    raw_id_fields = ("asset",)
    date_hierarchy = "created_at"
