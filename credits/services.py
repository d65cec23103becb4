"""Every movement of credits. All amounts are integer hundredths.

A movement is one conditional UPDATE of the balance and one entry, in one transaction: the UPDATE locks the account's
row (PostgreSQL) or the database (SQLite), so what is read after it is what it left. Each movement has a unique
reference; asked for again, it answers with the entry that exists and moves nothing.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import User
from accounts.services import record_audit
from credits.exceptions import InsufficientCredits, NoReservation, ReferenceReused, ReservationClosed
from credits.models import CreditAccount, CreditEntry, EntryKind
from credits.pricing import HUNDREDTHS, format_credits


@transaction.atomic
def open_account(*, user_id: UUID) -> CreditAccount:
    """Return a user's account, opened with the credits that new users get if there is none yet."""
    account, is_new = CreditAccount.objects.get_or_create(user_id=user_id)
    gift = settings.RENDEROWL_SIGNUP_CREDITS * HUNDREDTHS
    if is_new and gift > 0:
        _move(user_id, EntryKind.GRANT, gift, f"signup:{user_id}", note="For signing up")
        account.refresh_from_db(fields=["balance"])
    return account


@transaction.atomic
def reserve(*, user_id: UUID, amount: int, reference: str) -> CreditEntry:
    """Set credits aside, to be settled or refunded under the same reference.

    Raises InsufficientCredits; ReferenceReused if the reference names another amount or user.
    """
    _require_positive(amount)
    open_account(user_id=user_id)
    entry, _ = _move(user_id, EntryKind.RESERVE, -amount, reference)
    return _require_same(entry, user_id, EntryKind.RESERVE, -amount)


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
    return _close(reservation, EntryKind.SETTLE, reserved - charged, note)


@transaction.atomic
def refund(*, reference: str) -> CreditEntry:
    """Give the whole reservation back.

    Raises NoReservation; ReservationClosed after a settlement.
    """
    reservation = _find_reservation(reference)
    return _close(reservation, EntryKind.REFUND, -reservation.amount, "")


@transaction.atomic
def grant(*, user_id: UUID, amount: int, reference: str, note: str = "", actor: User | None = None) -> CreditEntry:
    """Give a user credits.

    Raises ReferenceReused if the reference names another movement.
    """
    _require_positive(amount)
    return _move_by_staff(user_id, EntryKind.GRANT, amount, reference, note, actor)


@transaction.atomic
def adjust(*, user_id: UUID, amount: int, reference: str, note: str, actor: User | None = None) -> CreditEntry:
    """Correct a balance by a decision of staff. amount: signed, not 0; note: the reason.

    Raises InsufficientCredits where less than nothing would be left; ReferenceReused.
    """
    if amount == 0 or not note:
        raise ValueError("an adjustment has an amount and a reason")
    return _move_by_staff(user_id, EntryKind.ADJUST, amount, reference, note, actor)


def _move_by_staff(
    user_id: UUID, kind: EntryKind, amount: int, reference: str, note: str, actor: User | None
) -> CreditEntry:
    open_account(user_id=user_id)
    entry, is_new = _move(user_id, kind, amount, reference, note=note, actor=actor)
    _require_same(entry, user_id, kind, amount)
    if is_new:
        details = {"amount": format_credits(amount), "reference": reference}
        record_audit(action=f"credits.{kind.value}", subject=entry.public_id, actor=actor, details=details)
    return entry


def _find_reservation(reference: str) -> CreditEntry:
    try:
        entry: CreditEntry = CreditEntry.objects.get(reference=reference, kind=EntryKind.RESERVE)
    except CreditEntry.DoesNotExist:
        raise NoReservation from None
    return entry


def _close(reservation: CreditEntry, kind: EntryKind, amount: int, note: str) -> CreditEntry:
    # Settlement and refund share one reference, so that of two closers at one time exactly one moves anything.
    reference = f"{reservation.reference}/closed"
    entry, _ = _move(reservation.user_id, kind, amount, reference, note=note, reservation=reservation)
    if entry.kind != kind:
        raise ReservationClosed
    return entry


def _require_positive(amount: int) -> None:
    if amount <= 0:
        raise ValueError("an amount is positive")


def _require_same(entry: CreditEntry, user_id: UUID, kind: EntryKind, amount: int) -> CreditEntry:
    if (entry.user_id, entry.kind, entry.amount) != (user_id, kind.value, amount):
        raise ReferenceReused
    return entry


def _move(user_id: UUID, kind: EntryKind, amount: int, reference: str, **columns: Any) -> tuple[CreditEntry, bool]:
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


def _write(user_id: UUID, kind: EntryKind, amount: int, reference: str, **columns: Any) -> CreditEntry:
    covered = CreditAccount.objects.filter(user_id=user_id, balance__gte=-amount)
    moved = covered.update(balance=F("balance") + amount)
    balance = CreditAccount.objects.values_list("balance", flat=True).get(user_id=user_id)
    if not moved:
        raise InsufficientCredits(required=-amount, balance=balance)
    entry: CreditEntry = CreditEntry.objects.create(
        user_id=user_id, kind=kind, amount=amount, balance_after=balance, reference=reference, **columns
    )
    return entry
