"""Create an API key and, with --create-user, its user."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import services
from accounts.models import KeyType, User
from core.scopes import RESTRICTED_SCOPES, expand


class Command(BaseCommand):
    """`create_api_key USER --scopes a,b`. May grant any scope: only operators can run commands."""

    help = "Create an API key and print it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("user", metavar="USER", help="user name")
        parser.add_argument("--scopes", required=True, help="comma-separated, e.g. renders:*,assets:read or *")
        parser.add_argument("--type", choices=KeyType.values, default=KeyType.LIVE.value, help="default: live")
        parser.add_argument("--name", default="", help="what the key is for")
        parser.add_argument("--create-user", action="store_true", help="create the user if it does not exist")
        parser.add_argument("--staff", action="store_true", help="make the user a member of staff")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Create the key, grant its owner the restricted scopes it needs, and print it."""
        grants = [grant.strip() for grant in options["scopes"].split(",") if grant.strip()]
        try:
            scopes = expand(grants)
        except ValueError as error:
            raise CommandError(f"{error} is not a scope.") from error
        if not scopes:
            raise CommandError("Name at least one scope.")
        user = self._user(options["user"], create=options["create_user"], staff=options["staff"])
        services.grant_scopes(user=user, scopes=scopes & RESTRICTED_SCOPES)
        minted = services.create_api_key(user=user, scopes=grants, type=options["type"], name=options["name"])
        report = {
            "id": minted.key.public_id,
            "key": minted.plaintext,
            "user": user.username,
            "scopes": minted.key.scopes,
        }
        if options["json"]:
            self.stdout.write(json.dumps(report))
            return
        self.stdout.write(f"Key {report['id']} of {user.username}: {', '.join(minted.key.scopes)}")
        self.stdout.write(minted.plaintext)
        self.stdout.write("It is not shown again.")

    def _user(self, username: str, *, create: bool, staff: bool) -> User:
        user = User.objects.filter(username=username).first()
        if user is None and not create:
            raise CommandError(f"There is no user {username}. Add --create-user to create it.")
        if user is None:
            try:
                return services.create_user(username=username, is_staff=staff)
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
        if staff and not user.is_staff:
            services.promote_to_staff(user=user)
        return user
