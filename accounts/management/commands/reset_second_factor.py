"""Take away the second factor of somebody who has lost phone and recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.services import remove_second_factor


class Command(BaseCommand):
    """`manage.py reset_second_factor`: see `help`."""

    help = "Remove a user's second factor and recovery codes; a password alone lets them in again, or makes them enrol."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the user."""
        parser.add_argument("user", help="the name of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user named {options['user']!r}.")
        had_one = remove_second_factor(user=user)
        self.stdout.write(f"{user}: {'second factor removed' if had_one else 'had no second factor'}")
