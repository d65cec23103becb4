"""CreditsLow is published once whenever a balance falls below the threshold, in the transaction of the movement."""

import pytest
from django.db import transaction

from core import events
from credits import services
from credits.events import CreditsLow
from credits.exceptions import InsufficientCredits
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def published():
    """The published CreditsLow events."""
    seen = []

    def listen(event):
        seen.append((event.balance, event.threshold))

    with events.subscriptions.override():
        events.subscribe(CreditsLow)(listen)
        yield seen


def test_publishes_once_per_fall_below_the_threshold(published, settings):
    settings.RENDEROWL_CREDITS_LOW = 300
    alice = make_user("alice")
    services.reserve(user_id=alice.pk, amount=700, reference="a")
    assert published == []
    services.reserve(user_id=alice.pk, amount=1, reference="b")
    services.reserve(user_id=alice.pk, amount=1, reference="b")
    services.reserve(user_id=alice.pk, amount=100, reference="c")
    assert published == [(299, 300)]
    services.refund(reference="a")
    services.settle(reference="b", amount=1)
    services.adjust(user_id=alice.pk, amount=-899, reference="d", note="spent")
    assert published == [(299, 300), (0, 300)]


def test_publishes_nothing_for_refused_or_rolled_back_movements(published, settings):
    settings.RENDEROWL_CREDITS_LOW = 1000
    alice = make_user("alice")
    with pytest.raises(InsufficientCredits):
        services.reserve(user_id=alice.pk, amount=1001, reference="a")
    assert published == []
    with transaction.atomic():
        services.reserve(user_id=alice.pk, amount=1, reference="b")
        transaction.set_rollback(True)
    services.reserve(user_id=alice.pk, amount=2, reference="c")
    assert published == [(999, 1000), (998, 1000)]


def test_a_threshold_of_zero_publishes_nothing(published, settings):
    settings.RENDEROWL_CREDITS_LOW = 0
    alice = make_user("alice")
    services.reserve(user_id=alice.pk, amount=1000, reference="a")
    assert published == []
