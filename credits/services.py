"""Services of credits: every movement of a balance. All amounts are integer hundredths.

A movement is one conditional UPDATE of the balance and one entry, in one transaction: the UPDATE locks the account's
row (PostgreSQL) or the database (SQLite), so the balance read after it is consistent. Each movement has a unique
reference; a repeated call returns the existing entry and moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Sum

from accounts.models import User
from accounts.services import record_audit
from core.events import publish
from credits.events import CreditsLow, CreditsMoved
from credits.exceptions import (
    InsufficientCredits,
    NoDeduction,
    NoReservation,
    ReferenceReused,
    RefundTooLarge,
    ReservationClosed,
)
from credits.models import CreditAccount, CreditEntry, CreditEntryKind
from credits.pricing import HUNDREDTHS, format_credits


@dataclass(frozen=True, slots=True)
class LedgerMovement:
    """Result of a movement. is_new: False if an earlier call made it."""

    entry: CreditEntry
    is_new: bool


@transaction.atomic
def open_account(*, user_id: UUID) -> CreditAccount:
    """Return a user's account; create it with the signup credits if there is none."""
    account, is_new = CreditAccount.objects.get_or_create(user_id=user_id)
    bonus = settings.RENDEROWL_SIGNUP_CREDITS * HUNDREDTHS
    if is_new and bonus > 0:
        entry, is_paid = _move(user_id, CreditEntryKind.GRANT, bonus, f"signup:{user_id}", note="For signing up")
        if is_paid:
            _publish_movement(entry)
        account.refresh_from_db(fields=["balance"])
    return account


@transaction.atomic
def reserve(*, user_id: UUID, amount: int, reference: str) -> CreditEntry:
    """Reserve credits, to be settled or refunded under the same reference.

    Raises InsufficientCredits; ReferenceReused if the reference exists with another amount or user.
    """
    _require_positive(amount)
    open_account(user_id=user_id)
    entry, _ = _move(user_id, CreditEntryKind.RESERVE, -amount, reference)
    return _require_same(entry, user_id, CreditEntryKind.RESERVE, -amount)


@transaction.atomic
def reserve_many(*, user_id: UUID, amounts: Mapping[str, int]) -> None:
    """Make all reservations of one user, or none: an entry for each, and one update of the balance.

    amounts: by reference; the unique constraint refuses a reference that exists.
    Raises InsufficientCredits with the total.
    """
    for amount in amounts.values():
        _require_positive(amount)
    if not amounts:
        return
    open_account(user_id=user_id)
    total = sum(amounts.values())
    moved = CreditAccount.objects.filter(user_id=user_id, balance__gte=total).update(balance=F("balance") - total)
    balance = CreditAccount.objects.values_list("balance", flat=True).get(user_id=user_id)
    if not moved:
        raise InsufficientCredits(required=total, balance=balance)
    balance += total
    entries = []
    for reference, amount in amounts.items():
        balance -= amount
        entries.append(
            CreditEntry(
                user_id=user_id,
                kind=CreditEntryKind.RESERVE,
                amount=-amount,
                balance_after=balance,
                reference=reference,
            )
        )
    CreditEntry.objects.bulk_create(entries)
    _publish_if_low(user_id, balance, -total)


@transaction.atomic
def settle(*, reference: str, amount: int) -> CreditEntry:
    """Charge what was used and return the rest of the reservation.

    amount: capped at the reservation, which is all that the client agreed to.
    Raises NoReservation; ReservationClosed after a refund.
    """
    if amount < 0:
        raise ValueError("an amount to charge must not be negative")
    reservation = _find_reservation(reference)
    reserved = -reservation.amount
    charged = min(amount, reserved)
    note = f"Charged {format_credits(charged)} of {format_credits(reserved)}"
    return _close(reservation, CreditEntryKind.SETTLE, reserved - charged, note)


@transaction.atomic
def refund(*, reference: str) -> CreditEntry:
    """Return the whole reservation.

    Raises NoReservation; ReservationClosed after a settlement.
    """
    reservation = _find_reservation(reference)
    return _close(reservation, CreditEntryKind.REFUND, -reservation.amount, "")


@transaction.atomic
def grant(*, user_id: UUID, amount: int, reference: str, note: str = "", actor: User | None = None) -> CreditEntry:
    """Grant a user credits; raise ReferenceReused if the reference belongs to another movement."""
    return grant_once(user_id=user_id, amount=amount, reference=reference, note=note, actor=actor).entry


@transaction.atomic
def grant_once(
    *, user_id: UUID, amount: int, reference: str, note: str = "", actor: User | None = None
) -> LedgerMovement:
    """Grant credits like `grant`; the result says whether this call did."""
    _require_positive(amount)
    return _move_audited(user_id, CreditEntryKind.GRANT, amount, reference, note, actor)


@transaction.atomic
def deduct(*, user_id: UUID, amount: int, reference: str, note: str = "", actor: User | None = None) -> LedgerMovement:
    """Deduct credits for something other than a render.

    Raises InsufficientCredits; ReferenceReused.
    """
    _require_positive(amount)
    return _move_audited(user_id, CreditEntryKind.DEDUCT, -amount, reference, note, actor)


@transaction.atomic
def refund_deduction(
    *,
    user_id: UUID,
    deduction: str,
    reference: str,
    amount: int | None = None,
    note: str = "",
    actor: User | None = None,
) -> LedgerMovement:
    """Refund a deduction, in full or in part.

    deduction: the reference of the deduction; amount: None for all that remains of it.
    Raises NoDeduction, RefundTooLarge, ReferenceReused.
    """
    # Serializes the refunds of an account, so that each sees the earlier ones; SQLite has one writer.
    CreditAccount.objects.select_for_update().filter(user_id=user_id).first()
    deducted = CreditEntry.objects.filter(reference=deduction, kind=CreditEntryKind.DEDUCT, user_id=user_id).first()
    if deducted is None:
        raise NoDeduction
    existing = CreditEntry.objects.filter(reference=reference).first()
    if existing is not None:
        return LedgerMovement(_require_same_refund(existing, deducted, amount), is_new=False)
    refunded = deducted.refunds.aggregate(total=Sum("amount"))["total"] or 0
    remaining = -deducted.amount - refunded
    wanted = remaining if amount is None else amount
    if not 0 < wanted <= remaining:
        raise RefundTooLarge(deducted=-deducted.amount, refunded=refunded)
    return _move_audited(user_id, CreditEntryKind.REFUND, wanted, reference, note, actor, deduction=deducted)


@transaction.atomic
def adjust(*, user_id: UUID, amount: int, reference: str, note: str, actor: User | None = None) -> CreditEntry:
    """Correct a balance on behalf of staff. amount: signed, not 0; note: the reason.

    Raises InsufficientCredits; ReferenceReused.
    """
    if amount == 0 or not note:
        raise ValueError("an adjustment needs an amount and a reason")
    return _move_audited(user_id, CreditEntryKind.ADJUST, amount, reference, note, actor).entry


def _move_audited(
    user_id: UUID, kind: CreditEntryKind, amount: int, reference: str, note: str, actor: User | None, **columns: Any
) -> LedgerMovement:
    open_account(user_id=user_id)
    entry, is_new = _move(user_id, kind, amount, reference, note=note, actor=actor, **columns)
    _require_same(entry, user_id, kind, amount)
    if is_new:
        details = {"amount": format_credits(amount), "reference": reference}
        record_audit(action=f"credits.{kind.value}", subject=entry.public_id, actor=actor, details=details)
        _publish_movement(entry)
    return LedgerMovement(entry, is_new)


def _require_same_refund(entry: CreditEntry, deducted: CreditEntry, amount: int | None) -> CreditEntry:
    same_amount = amount is None or amount == entry.amount
    if entry.deduction_id != deducted.pk or not same_amount:
        raise ReferenceReused
    return entry


def _publish_movement(entry: CreditEntry) -> None:
    publish(CreditsMoved(user_id=entry.user_id, entry_id=entry.pk, kind=entry.kind, amount=entry.amount))


def _find_reservation(reference: str) -> CreditEntry:
    try:
        entry: CreditEntry = CreditEntry.objects.get(reference=reference, kind=CreditEntryKind.RESERVE)
    except CreditEntry.DoesNotExist:
        raise NoReservation from None
    return entry


def _close(reservation: CreditEntry, kind: CreditEntryKind, amount: int, note: str) -> CreditEntry:
    # Settlement and refund share a reference, so that only one of two concurrent calls takes effect.
    reference = f"{reservation.reference}/closed"
    entry, _ = _move(reservation.user_id, kind, amount, reference, note=note, reservation=reservation)
    if entry.kind != kind:
        raise ReservationClosed
    return entry


def _require_positive(amount: int) -> None:
    if amount <= 0:
        raise ValueError("an amount must be positive")


def _require_same(entry: CreditEntry, user_id: UUID, kind: CreditEntryKind, amount: int) -> CreditEntry:
    if (entry.user_id, entry.kind, entry.amount) != (user_id, kind.value, amount):
        raise ReferenceReused
    return entry


def _move(
    user_id: UUID, kind: CreditEntryKind, amount: int, reference: str, **columns: Any
) -> tuple[CreditEntry, bool]:
    """Return the entry of a reference, and whether this call created it; raise InsufficientCredits."""
    existing = CreditEntry.objects.filter(reference=reference).first()
    if existing is not None:
        return existing, False
    try:
        with transaction.atomic():
            return _write(user_id, kind, amount, reference, **columns), True
    except (IntegrityError, InsufficientCredits):
        # A concurrent call may have made the same movement; the savepoint has undone ours.
        existing = CreditEntry.objects.filter(reference=reference).first()
        if existing is None:
            raise
        return existing, False


def _write(user_id: UUID, kind: CreditEntryKind, amount: int, reference: str, **columns: Any) -> CreditEntry:
    covered = CreditAccount.objects.filter(user_id=user_id, balance__gte=-amount)
    moved = covered.update(balance=F("balance") + amount)
    balance = CreditAccount.objects.values_list("balance", flat=True).get(user_id=user_id)
    if not moved:
        raise InsufficientCredits(required=-amount, balance=balance)
    entry: CreditEntry = CreditEntry.objects.create(
        user_id=user_id, kind=kind, amount=amount, balance_after=balance, reference=reference, **columns
    )
    _publish_if_low(user_id, balance, amount)
    return entry


def _publish_if_low(user_id: UUID, balance: int, amount: int) -> None:
    threshold: int = settings.RENDEROWL_CREDITS_LOW
    if balance < threshold <= balance - amount:
        publish(CreditsLow(user_id=user_id, balance=balance, threshold=threshold))
