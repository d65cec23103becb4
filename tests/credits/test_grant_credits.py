"""The command `grant_credits`."""

import io

import pytest
from django.core.management import CommandError, call_command

from credits.models import CreditEntry
from credits.selectors import balance_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def grant(*args):
    out = io.StringIO()
    call_command("grant_credits", *args, stdout=out)
    return out.getvalue()


def test_grants_credits_and_prints_the_balance():
    alice = make_user("alice")
    assert grant("alice", "2.50", "--note", "For testing") == "alice now has 12.50 credits.\n"
    assert balance_of(alice.pk).available == 1250
    assert CreditEntry.objects.filter(user=alice, kind="grant", amount=250, note="For testing").count() == 1


def test_repeated_grants_need_a_reference_to_be_idempotent():
    alice = make_user("alice")
    for _ in range(2):
        grant("alice", "1")
    for _ in range(2):
        grant("alice", "1", "--reference", "march")
    assert balance_of(alice.pk).available == 1300


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("mallory", "1"), "no user mallory"),
        (("alice", "ten"), "ten is not an amount"),
        (("alice", "0.001"), "two decimal places"),
        (("alice", "0"), "more than 0"),
    ],
)
def test_refuses_with_one_line(args, message):
    alice = make_user("alice")
    with pytest.raises(CommandError, match=message):
        grant(*args)
    assert balance_of(alice.pk).available == 1000
