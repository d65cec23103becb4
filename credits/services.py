"""Every movement of credits. All amounts are integer hundredths.

A movement is one conditional UPDATE of the balance and one entry, in one transaction: the UPDATE locks the account's
row (PostgreSQL) or the database (SQLite), so what is read after it is what it left. Each movement has a unique
reference; asked for again, it answers with the entry that exists and moves nothing.
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
    """A movement that was asked for. is_new: whether this call made it; False where it had been made before."""

    entry: CreditEntry
    is_new: bool


@transaction.atomic
def open_account(*, user_id: UUID) -> CreditAccount:
    """Return a user's account, opened with the credits that new users get if there is none yet."""
    account, is_new = CreditAccount.objects.get_or_create(user_id=user_id)
    gift = settings.RENDEROWL_SIGNUP_CREDITS * HUNDREDTHS
    if is_new and gift > 0:
        entry, is_paid = _move(user_id, CreditEntryKind.GRANT, gift, f"signup:{user_id}", note="For signing up")
        if is_paid:
            _publish_movement(entry)
        account.refresh_from_db(fields=["balance"])
    return account


@transaction.atomic
def reserve(*, user_id: UUID, amount: int, reference: str) -> CreditEntry:
    """Set credits aside, to be settled or refunded under the same reference.

    Raises InsufficientCredits; ReferenceReused if the reference names another amount or user.
    """
    _require_positive(amount)
    open_account(user_id=user_id)
    entry, _ = _move(user_id, CreditEntryKind.RESERVE, -amount, reference)
    return _require_same(entry, user_id, CreditEntryKind.RESERVE, -amount)


@transaction.atomic
def reserve_many(*, user_id: UUID, amounts: Mapping[str, int]) -> None:
    """Make many reservations of one user's, or none: one entry a reference, one change of the balance.

    amounts: by reference, each new: what was reserved before is refused by the unique constraint, not answered again.
    Raises InsufficientCredits with the sum of all.
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
    """Charge what was really used and give back the rest of the reservation.

    amount: no more than was reserved is ever charged, as the client agreed to no more.
    Raises NoReservation; ReservationClosed after a refund.
    """
    if amount < 0:
        raise ValueError("an amount to charge is not negative")
    reservation = _find_reservation(reference)
    reserved = -reservation.amount
    charged = min(amount, reserved)
    note = f"Charged {format_credits(charged)} of {format_credits(reserved)}"
    return _close(reservation, CreditEntryKind.SETTLE, reserved - charged, note)


@transaction.atomic
def refund(*, reference: str) -> CreditEntry:
    """Give the whole reservation back.

    Raises NoReservation; ReservationClosed after a settlement.
    """
    reservation = _find_reservation(reference)
    return _close(reservation, CreditEntryKind.REFUND, -reservation.amount, "")


@transaction.atomic
def grant(*, user_id: UUID, amount: int, reference: str, note: str = "", actor: User | None = None) -> CreditEntry:
    """Give a user credits.

    Raises ReferenceReused if the reference names another movement.
    """
    return grant_once(user_id=user_id, amount=amount, reference=reference, note=note, actor=actor).entry


@transaction.atomic
def grant_once(
    *, user_id: UUID, amount: int, reference: str, note: str = "", actor: User | None = None
) -> LedgerMovement:
    """Do the same, and say whether this call did it."""
    _require_positive(amount)
    return _move_audited(user_id, CreditEntryKind.GRANT, amount, reference, note, actor)


@transaction.atomic
def deduct(*, user_id: UUID, amount: int, reference: str, note: str = "", actor: User | None = None) -> LedgerMovement:
    """Take credits for something that this installation did not render.

    Raises InsufficientCredits where less than nothing would be left; ReferenceReused.
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
    """Give back what was deducted from a user, or a part of it.

    deduction: the reference of the deduction; amount: None for all that is left of it.
    Raises NoDeduction, RefundTooLarge, ReferenceReused.
    """
    # Refunds of one account wait for each other here, so that each counts those before it; SQLite has one writer.
    CreditAccount.objects.select_for_update().filter(user_id=user_id).first()
    deducted = CreditEntry.objects.filter(reference=deduction, kind=CreditEntryKind.DEDUCT, user_id=user_id).first()
    if deducted is None:
        raise NoDeduction
    existing = CreditEntry.objects.filter(reference=reference).first()
    if existing is not None:
        return LedgerMovement(_require_same_refund(existing, deducted, amount), is_new=False)
    refunded = deducted.refunds.aggregate(total=Sum("amount"))["total"] or 0
    left = -deducted.amount - refunded
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise RefundTooLarge(deducted=-deducted.amount, refunded=refunded)
    return _move_audited(user_id, CreditEntryKind.REFUND, wanted, reference, note, actor, deduction=deducted)


@transaction.atomic
def adjust(*, user_id: UUID, amount: int, reference: str, note: str, actor: User | None = None) -> CreditEntry:
    """Correct a balance by a decision of staff. amount: signed, not 0; note: the reason.

    Raises InsufficientCredits where less than nothing would be left; ReferenceReused.
    """
    if amount == 0 or not note:
        raise ValueError("an adjustment has an amount and a reason")
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
    # Settlement and refund share one reference, so that of two closers at one time exactly one moves anything.
    reference = f"{reservation.reference}/closed"
    entry, _ = _move(reservation.user_id, kind, amount, reference, note=note, reservation=reservation)
    if entry.kind != kind:
        raise ReservationClosed
    return entry


def _require_positive(amount: int) -> None:
    if amount <= 0:
        raise ValueError("an amount is positive")


def _require_same(entry: CreditEntry, user_id: UUID, kind: CreditEntryKind, amount: int) -> CreditEntry:
    if (entry.user_id, entry.kind, entry.amount) != (user_id, kind.value, amount):
        raise ReferenceReused
    return entry


def _move(
    user_id: UUID, kind: CreditEntryKind, amount: int, reference: str, **columns: Any
) -> tuple[CreditEntry, bool]:
    """Return the entry of a reference and whether this call made it, and with it changed the balance.

    Raises InsufficientCredits.
    """
    existing = CreditEntry.objects.filter(reference=reference).first()
    if existing is not None:
        return existing, False
    try:
        with transaction.atomic():
            return _write(user_id, kind, amount, reference, **columns), True
    except (IntegrityError, InsufficientCredits):
        # Somebody may have made this very movement meanwhile; the savepoint has taken our share of it back.
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
    """Publish that a balance is low, if the movement of `amount` that left it brought it below the threshold."""
    threshold: int = settings.RENDEROWL_CREDITS_LOW
    if balance < threshold <= balance - amount:
        publish(CreditsLow(user_id=user_id, balance=balance, threshold=threshold))
