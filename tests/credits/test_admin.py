"""Admin of credits: balances and the read-only ledger."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from credits import services
from credits.models import CreditAccount, CreditEntry
from credits.selectors import balance_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root():
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def alice():
    return make_user("alice")


def move_path(user):
    account = CreditAccount.objects.get(user=user)
    return reverse("admin:credits_creditaccount_move_credits", args=[account.pk])


def form_of(client, user, **fields):
    page = client.get(move_path(user))
    assert page.status_code == 200
    reference = re.search(r'name="reference" value="([^"]+)"', page.content.decode())[1]
    return {"reference": reference, "note": "Sorry", **fields}


@pytest.mark.parametrize("model", ["creditaccount", "creditentry"])
def test_lists_search_and_detail_pages_work(root, alice, model):
    client = logged_in(root)
    row = (CreditAccount if model == "creditaccount" else CreditEntry).objects.get(user=alice)
    listed = client.get(reverse(f"admin:credits_{model}_changelist"), {"q": "alice"})
    assert listed.status_code == 200
    assert "10.00" in listed.content.decode()
    detail = client.get(reverse(f"admin:credits_{model}_change", args=[row.pk]))
    assert "10.00" in detail.content.decode()


@pytest.mark.parametrize("model", ["creditaccount", "creditentry"])
def test_nothing_is_added_changed_or_deleted(root, alice, model):
    client = logged_in(root)
    row = (CreditAccount if model == "creditaccount" else CreditEntry).objects.get(user=alice)
    assert client.get(reverse(f"admin:credits_{model}_add")).status_code == 403
    for page in ("change", "delete"):
        path = reverse(f"admin:credits_{model}_{page}", args=[row.pk])
        assert client.post(path, {"balance": "1", "post": "yes"}).status_code == 403
    assert balance_of(alice.pk).available == 1000


@pytest.mark.parametrize("model", ["creditaccount", "creditentry"])
def test_a_list_takes_no_more_queries_for_more_rows(root, model, django_assert_max_num_queries):
    for _ in range(12):
        make_user()
    client = logged_in(root)
    with django_assert_max_num_queries(8):
        client.get(reverse(f"admin:credits_{model}_changelist"))


def test_staff_without_permission_see_nothing(alice):
    client = logged_in(make_user(is_staff=True))
    for model in ("creditaccount", "creditentry"):
        assert client.get(reverse(f"admin:credits_{model}_changelist")).status_code == 403
    assert client.get(move_path(alice)).status_code == 403


def test_submitting_the_form_twice_adds_credits_once(root, alice):
    client = logged_in(root)
    data = form_of(client, alice, amount="2.50")
    for _ in range(2):
        response = client.post(move_path(alice), data, follow=True)
        assert "2.50 moved; the balance is 12.50" in response.content.decode()
    entry = CreditEntry.objects.get(user=alice, amount=250)
    assert (entry.kind, entry.actor, entry.note) == ("grant", root, "Sorry")
    assert balance_of(alice.pk).available == 1250


def test_deducts_credits_but_not_below_zero(root, alice):
    client = logged_in(root)
    client.post(move_path(alice), form_of(client, alice, amount="-4"))
    assert balance_of(alice.pk).available == 600
    assert CreditEntry.objects.get(user=alice, amount=-400).kind == "adjust"
    response = client.post(move_path(alice), form_of(client, alice, amount="-6.01"))
    assert "too low" in response.content.decode()
    assert balance_of(alice.pk).available == 600


@pytest.mark.parametrize(
    "fields", [{"amount": "ten"}, {"amount": "0"}, {"amount": "0.001"}, {"amount": ""}, {"amount": "5", "note": ""}]
)
def test_refuses_invalid_forms(root, alice, fields):
    client = logged_in(root)
    assert client.post(move_path(alice), form_of(client, alice, **fields)).status_code == 200
    assert client.post(move_path(alice), {"amount": "5", "note": "x", "reference": "render:1"}).status_code == 200
    assert balance_of(alice.pk).available == 1000


def test_moving_credits_needs_its_own_permission(alice):
    viewer, teller = make_user("viewer", is_staff=True), make_user("teller", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_creditaccount"))
    teller.user_permissions.set(Permission.objects.filter(codename__in=["view_creditaccount", "grant_credits"]))
    data = {"amount": "5", "note": "x", "reference": "staff:00000000-0000-7000-8000-000000000000"}
    assert logged_in(viewer).post(move_path(alice), data).status_code == 403
    assert balance_of(alice.pk).available == 1000
    assert logged_in(teller).post(move_path(alice), data).status_code == 302
    assert balance_of(alice.pk).available == 1500


def test_the_ledger_shows_movements_of_renders(root, alice):
    services.reserve(user_id=alice.pk, amount=20, reference="render:1")
    services.settle(reference="render:1", amount=5)
    html = logged_in(root).get(reverse("admin:credits_creditentry_changelist")).content.decode()
    for text in ("-0.20", "0.15", "9.95", "Charged 0.05 of 0.20"):
        assert text in html
