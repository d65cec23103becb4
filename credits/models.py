"""What an account owns and every movement that made it so. All amounts are integer hundredths of a credit."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import User
from core.append_only import AppendOnlyModel, AppendOnlyQuerySet
from core.cache_tags.registry import cache_tagged
from core.indexes import NamedIndex
from core.models import BaseModel


@cache_tagged("credits", owner="user_id")
class CreditAccount(BaseModel):
    """The balance of a user: at any time the sum of the user's entries."""

    ID_PREFIX: ClassVar[str] = "cra"

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="credit_account")
    balance = models.BigIntegerField(default=0, editable=False)

    class Meta:
        permissions = [("grant_credits", "Can give credits and correct balances")]
        constraints = [
            # The last fence: whatever the code does, nobody spends what is not there.
            models.CheckConstraint(condition=Q(balance__gte=0), name="credits_balance_not_negative"),
        ]

    def __str__(self) -> str:
        return f"credits of {self.user.username}"


class CreditEntryKind(models.TextChoices):
    """Why a balance moved."""

    GRANT = "grant"
    RESERVE = "reserve"
    SETTLE = "settle"
    REFUND = "refund"
    ADJUST = "adjust"
    DEDUCT = "deduct"


def credit_entry_kind_choices() -> list[tuple[str, str]]:
    """Return the kinds of entry."""
    return list(CreditEntryKind.choices)


@cache_tagged("credits", owner="user_id")
class CreditEntry(AppendOnlyModel):
    """One movement.

    amount: signed; a reservation is negative, the settlement gives back what was reserved too much (0 or more).
    reference: unique, so that the same movement asked for twice happens once.
    reservation: what a settlement or refund closes; one to one, so that nothing can be closed twice.
    deduction: what a refund gives back, in whole or in part; together never more than was deducted.
    """

    ID_PREFIX: ClassVar[str] = "cre"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="credit_entries", db_index=False)
    kind = models.CharField(max_length=10, choices=credit_entry_kind_choices)
    amount = models.BigIntegerField()
    balance_after = models.BigIntegerField()
    reference = models.CharField(max_length=200, unique=True)
    reservation = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="closing")
    deduction = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="refunds", db_index=False)
    note = models.CharField(max_length=200, blank=True, default="")
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "credit entries"
        indexes = [
            # `GET /credits/entries` and the admin's list of a user.
            NamedIndex(fields=["user", "-created_at"], name="idx_credits_user_created"),
            # `GET /credits/entries?kind=`, and the sum of open reservations.
            NamedIndex(fields=["user", "kind", "-created_at"], name="idx_credits_user_type"),
            # What was given back of a deduction; few entries have one.
            NamedIndex(fields=["deduction"], name="idx_credits_deduction", condition=Q(deduction__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"
