"""Admin of staff's second factors: who has one, and a reset for a lost one."""

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
    """Recovery codes and when they were used."""

    model = RecoveryCode
    fields = ("created_at", "used_at")
    readonly_fields = fields
    extra = 0


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyAdmin):
    """Users set up their own second factor; a superuser can reset that of another user."""

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
        """Annotate rows with the number of unused recovery codes."""
        rows: QuerySet[SecondFactor] = super().get_queryset(request)
        return rows.annotate(left=Count("recovery_codes", filter=Q(recovery_codes__used_at=None)))

    @admin.display(description="recovery codes left")
    def codes_left(self, factor: SecondFactor) -> int:
        """Return the number of unused recovery codes."""
        return int(getattr(factor, "left", 0))

    def has_reset_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may reset second factors."""
        return bool(request.user.is_superuser)

    @admin.action(description="Reset (of other users)", permissions=["reset"])
    def reset(self, request: HttpRequest, factors: QuerySet[SecondFactor]) -> None:
        """Remove the selected second factors, except the user's own: removing that takes a code."""
        assert isinstance(request.user, User)
        others = factors.exclude(user=request.user).select_related("user")
        count = sum(
            services.remove_second_factor(user=factor.user, actor=request.user, address=client_address(request))
            for factor in others
        )
        self.message_user(request, f"{count} reset.", messages.SUCCESS if count else messages.WARNING)
