"""Remove the second factor of a user who has lost the app and the recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.services import remove_second_factor


class Command(BaseCommand):
    """`reset_second_factor USER`."""

    help = "Remove a user's second factor and recovery codes, so that they log in with a password only or enrol again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("user", help="user name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Remove the second factor and report whether there was one."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user named {options['user']!r}.")
        had_one = remove_second_factor(user=user)
        self.stdout.write(f"{user}: {'second factor removed' if had_one else 'had no second factor'}")
