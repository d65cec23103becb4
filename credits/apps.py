"""Registrations of the credits app."""

from django.apps import AppConfig

from core import events


class CreditsConfig(AppConfig):
    """See the package's docstring."""

    name = "credits"

    def ready(self) -> None:
        """Listen to accounts."""
        # Models can be imported only from here on.
        from accounts.events import UserCreated
        from core.caching.families import register_family
        from credits.models import CreditAccount, CreditEntry
        from credits.subscribers import welcome_user

        events.subscribe(UserCreated, welcome_user)
        register_family("credits", CreditAccount, owner="user_id")
        register_family("credits", CreditEntry, owner="user_id")
