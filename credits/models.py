"""Credit accounts and the entries of the ledger. All amounts are integer hundredths of a credit."""

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
    """The balance of a user, always equal to the sum of the user's entries."""

    ID_PREFIX: ClassVar[str] = "cra"

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="credit_account")
    balance = models.BigIntegerField(default=0, editable=False)

    class Meta:
        permissions = [("grant_credits", "Can give credits and correct balances")]
        constraints = [
            # The last line of defence against overdrafts.
            models.CheckConstraint(condition=Q(balance__gte=0), name="credits_balance_not_negative"),
        ]

    def __str__(self) -> str:
        return f"credits of {self.user.username}"


class CreditEntryKind(models.TextChoices):
    """Reason of a movement."""

    GRANT = "grant"
    RESERVE = "reserve"
    SETTLE = "settle"
    REFUND = "refund"
    ADJUST = "adjust"
    DEDUCT = "deduct"


def credit_entry_kind_choices() -> list[tuple[str, str]]:
    """Return the choices of a kind; a callable, so that a new kind needs no migration."""
    return list(CreditEntryKind.choices)


@cache_tagged("credits", owner="user_id")
class CreditEntry(AppendOnlyModel):
    """A movement of a balance.

    amount: signed; a reservation is negative, its settlement returns the unused part (0 or more).
    reference: unique, so that requesting the same movement twice moves credits once.
    reservation: closed by this settlement or refund; one-to-one, so that it cannot be closed twice.
    deduction: refunded by this entry, in full or in part; all refunds together do not exceed it.
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
            # The refunds of a deduction; few entries have one.
            NamedIndex(fields=["deduction"], name="idx_credits_deduction", condition=Q(deduction__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"
