"""Subscribers of credits."""

from __future__ import annotations

from accounts.events import UserCreated
from core.events import subscribe
from credits import services


@subscribe(UserCreated)
def open_account_of_new_user(event: UserCreated) -> None:
    """Open the credit account of a new user, with the signup credits."""
    services.open_account(user_id=event.user_id)
