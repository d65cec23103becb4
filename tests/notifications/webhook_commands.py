"""Commands that tests run in a separate process: create accounts with endpoints, and publish events.

python -m tests.notifications.webhook_commands add_endpoints USER URL COUNT | fire USER COUNT |
    neighbours SLOW FAST EACH COUNT
"""

from __future__ import annotations

import os
import sys
import time

import django
from django.db import transaction

import renderowl  # noqa: F401 - puts the newer SQLite in place


def add_endpoints(name, url, count):
    """Create a user with endpoints for all events; print their secrets."""
    from notifications.services.endpoints import create_endpoint

    user = account(name)
    for _ in range(int(count)):
        print(create_endpoint(owner=user, url=url, events=["*"]).secret)


def account(name):
    from accounts.models import User
    from accounts.services import create_user

    return User.objects.filter(username=name).first() or create_user(username=name, password=None, plan="enterprise")


def fire(name, count):
    """Publish events, each in its own transaction."""
    from notifications.services.deliveries import publish_event

    user = account(name)
    for number in range(int(count)):
        with transaction.atomic():
            publish_event(
                owner_id=user.pk, event="credits.low", resource=f"usr_{name}", describe=lambda n=number: {"n": n}
            )


def neighbours(slow, fast, each, count):
    """Publish many events of the slow account and then, while they are delivered, a few of the fast one."""
    fire(slow, each)
    time.sleep(1.5)
    for _ in range(int(count)):
        fire(fast, 1)
        time.sleep(0.15)


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    django.setup()
    command, *rest = sys.argv[1:]
    {"add_endpoints": add_endpoints, "fire": fire, "neighbours": neighbours}[command](*rest)


if __name__ == "__main__":
    main()
