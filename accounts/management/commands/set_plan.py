"""Change the plan of a user."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import services
from accounts.models import User
from accounts.plans import AccountPlan


class Command(BaseCommand):
    """`set_plan USER PLAN`."""

    help = "Change the plan of a user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("user", metavar="USER", help="user name")
        parser.add_argument("plan", metavar="PLAN", choices=AccountPlan.values, help=", ".join(AccountPlan.values))

    def handle(self, *args: Any, **options: Any) -> None:
        """Change the plan and report it."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        services.set_plan(user=user, plan=options["plan"])
        self.stdout.write(f"{user.username} is on the plan {user.plan}.")
