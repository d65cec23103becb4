"""Admin of credits: balances, with a form to change them, and the read-only ledger."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action

from accounts.models import User
from core.admin import ReadOnlyAdmin
from core.exceptions import DomainError
from credits import services
from credits.forms import CreditMovementForm
from credits.models import CreditAccount, CreditEntry
from credits.pricing import format_credits


@admin.register(CreditAccount)
class CreditAccountAdmin(ReadOnlyAdmin):
    """Balances, which change only by movements."""

    list_display = ("user", "balance_in_credits", "plan", "created_at")
    list_filter = ("user__plan", "created_at")
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("user", "balance_in_credits", "created_at")
    actions_detail = ("move_credits",)

    @admin.display(description="balance", ordering="balance")
    def balance_in_credits(self, account: CreditAccount) -> str:
        """Return the balance in credits, e.g. `0.20`."""
        return format_credits(account.balance)

    @admin.display(ordering="user__plan")
    def plan(self, account: CreditAccount) -> str:
        """Return the name of the user's plan."""
        return account.user.get_plan_display()

    def has_move_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Return whether the user may move credits."""
        return request.user.has_perm("credits.grant_credits")

    @action(description="Add or deduct credits", permissions=["move"], url_path="move", icon="payments")  # type: ignore[untyped-decorator]
    def move_credits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the form, or move credits as submitted."""
        account = get_object_or_404(CreditAccount.objects.select_related("user"), pk=UUID(str(object_id)))
        if not self.has_move_permission(request):
            raise PermissionDenied
        form = CreditMovementForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._move(request, account, form):
            return HttpResponseRedirect(reverse("admin:credits_creditaccount_change", args=[account.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Add or deduct credits: {account.user}",
            "opts": self.opts,
            "account": account,
            "balance": format_credits(account.balance),
            "form": form,
        }
        return TemplateResponse(request, "admin/credits/creditaccount/move.html", context)

    def _move(self, request: HttpRequest, account: CreditAccount, form: CreditMovementForm) -> bool:
        assert isinstance(request.user, User)
        movement = form.movement()
        service = services.grant if movement["amount"] > 0 else services.adjust
        try:
            entry = service(user_id=account.user_id, actor=request.user, **movement)
        except DomainError as error:
            form.add_error("amount", error.detail)
            return False
        text = f"{format_credits(entry.amount)} moved; the balance is {format_credits(entry.balance_after)}."
        self.message_user(request, text, messages.SUCCESS)
        return True


@admin.register(CreditEntry)
class CreditEntryAdmin(ReadOnlyAdmin):
    """The ledger, read-only."""

    list_display = ("created_at", "user", "kind", "credits", "credits_after", "reference", "note")
    list_filter = ("kind",)
    search_fields = ("=reference", "user__username")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        "public_id",
        "created_at",
        "user",
        "kind",
        "credits",
        "credits_after",
        "reference",
        "deduction",
        "note",
        "actor",
    )

    @admin.display(description="amount", ordering="amount")
    def credits(self, entry: CreditEntry) -> str:
        """Return the amount in credits, e.g. `-0.20`."""
        return format_credits(entry.amount)

    @admin.display(description="balance after")
    def credits_after(self, entry: CreditEntry) -> str:
        """Return the balance after the movement, in credits."""
        return format_credits(entry.balance_after)
