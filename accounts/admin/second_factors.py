"""Second factors of staff: who has one, and help for who has lost it."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from accounts import services
from accounts.authentication import client_address
from accounts.models import RecoveryCode, SecondFactor, User
from core.admin import ReadOnlyAdmin, ReadOnlyRows


class RecoveryCodeInline(ReadOnlyRows, TabularInline):
    """Which of the recovery codes were used."""

    model = RecoveryCode
    fields = ("created_at", "used_at")
    readonly_fields = fields
    extra = 0


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyAdmin):
    """Everybody sets up their own; a superuser takes away somebody else's who has lost it."""

    list_display = ("user", "created_at", "codes_left")
    list_filter = ("created_at",)
    search_fields = ("=user__username",)
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("user", "created_at")
    inlines = (RecoveryCodeInline,)
    actions = ("reset",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SecondFactor]:
        """Count the codes that are left."""
        rows: QuerySet[SecondFactor] = super().get_queryset(request)
        return rows.annotate(left=Count("recovery_codes", filter=Q(recovery_codes__used_at=None)))

    @admin.display(description="recovery codes left")
    def codes_left(self, factor: SecondFactor) -> int:
        """Return how many recovery codes were not used."""
        return int(getattr(factor, "left", 0))

    def has_reset_permission(self, request: HttpRequest) -> bool:
        """Return whether the action shows."""
        return bool(request.user.is_superuser)

    @admin.action(description="Reset (somebody else's)", permissions=["reset"])
    def reset(self, request: HttpRequest, factors: QuerySet[SecondFactor]) -> None:
        """Take away the chosen second factors; one's own takes a code, on the page for it."""
        assert isinstance(request.user, User)
        others = factors.exclude(user=request.user).select_related("user")
        count = sum(
            services.remove_second_factor(user=factor.user, actor=request.user, address=client_address(request))
            for factor in others
        )
        self.message_user(request, f"{count} reset.", messages.SUCCESS if count else messages.WARNING)
