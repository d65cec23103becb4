"""Create the first superuser and API key of a new installation, and print both once."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.models import User
from accounts.services import create_api_key, create_user

USERNAME = "admin"


class Command(BaseCommand):
    """Does nothing if a user exists: the credentials are printed only once."""

    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        """Create both in one transaction, so that a crash leaves neither."""
        password = secrets.token_urlsafe(15)
        with transaction.atomic():
            if User.objects.exists():
                return
            user = create_user(username=USERNAME, password=password, is_staff=True, is_superuser=True)
            minted = create_api_key(user=user, scopes=["*"], name="first key")
        self.stdout.write("First run. These credentials are shown only once:")
        self.stdout.write(f"  admin user  {USERNAME}")
        self.stdout.write(f"  password    {password}")
        self.stdout.write(f"  API key     {minted.plaintext}")
