"""A balance that falls below the threshold is published of: once for each fall, with the movement or not at all."""

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
    """What was published."""
    seen = []

    def listen(event):
        seen.append((event.balance, event.threshold))

    with events.subscriptions.override():
        events.subscribe(CreditsLow)(listen)
        yield seen


def test_publishes_once_for_each_fall(published, settings):
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


def test_publishes_nothing_of_what_was_refused_or_undone(published, settings):
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


def test_a_threshold_of_nothing_is_never_crossed(published, settings):
    settings.RENDEROWL_CREDITS_LOW = 0
    alice = make_user("alice")
    services.reserve(user_id=alice.pk, amount=1000, reference="a")
    assert published == []
