"""Grant a user credits."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from core.ids import uuid7
from credits import services
from credits.pricing import format_credits, parse_credits


class Command(BaseCommand):
    """`grant_credits USER AMOUNT`."""

    help = "Grant a user credits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("user", metavar="USER", help="user name")
        parser.add_argument("amount", metavar="AMOUNT", help="credits, e.g. 25 or 0.50")
        parser.add_argument("--note", default="", help="the reason, shown to the user")
        parser.add_argument("--reference", default="", help="reference of the grant, which makes it idempotent")

    def handle(self, *args: Any, **options: Any) -> None:
        """Grant, and print the new balance."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        try:
            amount = parse_credits(options["amount"])
        except ValueError as error:
            raise CommandError(f"{options['amount']} is not an amount: {error}.") from error
        if amount <= 0:
            raise CommandError("The amount must be more than 0.")
        reference = options["reference"] or f"grant:{uuid7()}"
        entry = services.grant(user_id=user.pk, amount=amount, reference=reference, note=options["note"])
        self.stdout.write(f"{user.username} now has {format_credits(entry.balance_after)} credits.")
