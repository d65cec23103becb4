"""Queries on balances and the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from credits.models import CreditAccount, CreditEntry, CreditEntryKind


@dataclass(frozen=True, slots=True)
class Balance:
    """Available credits, and those reserved for unfinished renders. In hundredths."""

    available: int
    reserved: int


@dataclass(frozen=True, slots=True)
class LedgerMismatch:
    """An account whose balance is not the sum of its entries. In hundredths."""

    user_id: UUID
    balance: int
    sum_of_entries: int


def balance_of(user_id: UUID) -> Balance | None:
    """Return a user's balance, None if the user has no credit account."""
    available = CreditAccount.objects.filter(user_id=user_id).values_list("balance", flat=True).first()
    if available is None:
        return None
    open_reservations: QuerySet[CreditEntry] = CreditEntry.objects.filter(
        user_id=user_id, kind=CreditEntryKind.RESERVE, closing=None
    )
    reserved = open_reservations.aggregate(total=Sum("amount"))["total"]
    return Balance(available, -(reserved or 0))


def check_ledger() -> Iterator[LedgerMismatch]:
    """Yield accounts whose balance differs from the sum of their entries, and entries without an account."""
    sums = (
        CreditEntry.objects.filter(user_id=OuterRef("user_id"))
        .order_by()
        .values("user_id")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    total = Coalesce(Subquery(sums, output_field=BigIntegerField()), 0, output_field=BigIntegerField())
    accounts = CreditAccount.objects.annotate(total=total).exclude(balance=F("total"))
    for account in accounts.order_by("pk").iterator():
        yield LedgerMismatch(account.user_id, account.balance, account.total)
    orphans = CreditEntry.objects.exclude(user_id__in=CreditAccount.objects.values("user_id"))
    for row in orphans.order_by("user_id").values("user_id").annotate(total=Sum("amount")).iterator():
        yield LedgerMismatch(row["user_id"], 0, row["total"])
