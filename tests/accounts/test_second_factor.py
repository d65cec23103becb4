"""Second factors of staff: required for sessions and tokens, one use per code, throttled, audited."""

from __future__ import annotations

import re
import time
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts import services, totp
from accounts.exceptions import CodeRefused, SecondFactorExists
from accounts.models import AuditEntry, RecoveryCode, SecondFactor
from api.ratelimit.sqlite_store import SqliteLimitStore
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
LOGIN, CODE, PAGE = "/admin/login/", "/admin/login/code/", "/admin/second-factor/"


class Clock:
    """A stopped clock; set `now_s` to move it."""

    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch) -> Clock:
    found = Clock()
    for module in ("accounts.services.second_factor", "accounts.staff_login"):
        monkeypatch.setattr(f"{module}.time", mock.Mock(time=found))
    return found


@pytest.fixture
def alice():
    return make_user("alice", is_staff=True, is_superuser=True)


def code_of(user, now_s: float) -> str:
    """The code that the user's app shows."""
    return totp.code_at(totp.secret_of(SecondFactor.objects.get(user=user).salt), int(now_s) // 30)


def enrol(user, clock: Clock) -> list[str]:
    """Set up a factor and move the clock by one step."""
    code = totp.code_at(totp.secret_of("salt"), int(clock.now_s) // 30)
    codes = services.enrol_second_factor(user=user, salt="salt", code=code)
    clock.now_s += 30
    return codes


def log_in(client: Client, password: str = PASSWORD, name: str = "alice", **query):
    return client.post(LOGIN, {"username": name, "password": password}, query_params=query)


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def actions() -> list[str]:
    rows = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    return [action for action in rows if action.startswith(("second_factor", "login"))]


def test_without_a_factor_the_password_suffices(alice):
    client = Client()
    assert log_in(client)["Location"] == "/admin/"
    assert is_in(client)
    entry = AuditEntry.objects.get(action="login.succeeded")
    assert (entry.actor, entry.address, entry.details) == (alice, "127.0.0.1", {"second_factor": False})


def test_with_a_factor_the_password_does_not_suffice(alice, clock):
    enrol(alice, clock)
    client = Client()
    assert log_in(client, next="/admin/jobs/job/")["Location"] == CODE
    assert not is_in(client)
    assert client.get(CODE).status_code == 200
    done = client.post(CODE, {"code": code_of(alice, clock.now_s)})
    assert done["Location"] == "/admin/jobs/job/"
    assert is_in(client)
    assert actions() == ["second_factor.enrolled", "login.succeeded"]


def test_next_does_not_redirect_to_another_host(alice, clock):
    enrol(alice, clock)
    client = Client()
    log_in(client, next="https://evil.example/")
    assert client.post(CODE, {"code": code_of(alice, clock.now_s)})["Location"] == "/admin/"


def test_a_code_works_once(alice, clock):
    enrol(alice, clock)
    code = code_of(alice, clock.now_s)
    services.verify_second_factor(user=alice, code=code)
    for now_s in (clock.now_s, clock.now_s + 29):
        clock.now_s = now_s
        with pytest.raises(CodeRefused):
            services.verify_second_factor(user=alice, code=code)
    clock.now_s += 30
    services.verify_second_factor(user=alice, code=code_of(alice, clock.now_s))
    with pytest.raises(CodeRefused):  # the previous step is refused too
        services.verify_second_factor(user=alice, code=code_of(alice, clock.now_s - 30))


def test_the_enrolment_code_cannot_be_reused(alice, clock):
    enrol(alice, clock)
    clock.now_s -= 30
    with pytest.raises(CodeRefused):
        services.verify_second_factor(user=alice, code=code_of(alice, clock.now_s))


def test_each_recovery_code_works_once_in_any_spelling(alice, clock):
    codes = enrol(alice, clock)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", code) for code in codes)
    services.verify_second_factor(user=alice, code=codes[0])
    services.verify_second_factor(user=alice, code=f" {codes[1].upper().replace('-', ' ')} ")
    for code in codes[:2]:
        with pytest.raises(CodeRefused):
            services.verify_second_factor(user=alice, code=code)
    assert RecoveryCode.objects.filter(used_at=None).count() == 8
    assert actions().count("second_factor.recovery_code_used") == 2


def test_recovery_codes_are_not_in_the_database(alice, clock):
    codes = enrol(alice, clock)
    table = str(
        list(RecoveryCode.objects.values()) + list(SecondFactor.objects.values()) + list(AuditEntry.objects.values())
    )
    for code in codes:
        assert code not in table
        assert code.replace("-", "") not in table
    assert totp.secret_text(totp.secret_of("salt")) not in table


def test_a_recovery_code_of_another_user_is_refused(alice, clock):
    bob = make_user("bob", is_staff=True)
    codes = enrol(alice, clock)
    enrol(bob, clock)
    with pytest.raises(CodeRefused):
        services.verify_second_factor(user=bob, code=codes[0])
    assert RecoveryCode.objects.filter(used_at=None).count() == 20


def test_guesses_are_throttled_across_addresses(alice, clock, rate_limits, tmp_path):
    rate_limits._store = SqliteLimitStore(tmp_path / "cache.sqlite3", clock_us=lambda: int(clock.now_s * 1e6))
    enrol(alice, clock)
    statuses = []
    for number in range(7):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}")
        log_in(client)
        statuses.append(client.post(CODE, {"code": "000000"}).status_code)
    assert statuses == [200] * 5 + [429] * 2
    client = Client(REMOTE_ADDR="192.0.2.99")
    log_in(client)
    refused = client.post(CODE, {"code": code_of(alice, clock.now_s)})
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert not is_in(client)
    clock.now_s += 60
    assert client.post(CODE, {"code": code_of(alice, clock.now_s)}).status_code == 302
    assert actions().count("second_factor.refused") == 5


def test_the_right_password_does_not_reset_the_throttle(alice, clock, rate_limits, tmp_path):
    rate_limits._store = SqliteLimitStore(tmp_path / "cache.sqlite3", clock_us=lambda: int(clock.now_s * 1e6))
    enrol(alice, clock)
    client = Client()
    found = []
    for _ in range(4):
        found.append(log_in(client).status_code)
        found.append(client.post(CODE, {"code": "000000"}).status_code)
    assert 429 in found


def test_a_pending_login_expires(alice, clock):
    enrol(alice, clock)
    client = Client()
    log_in(client)
    clock.now_s += 601
    assert client.get(CODE)["Location"].startswith(LOGIN)
    assert client.post(CODE, {"code": code_of(alice, clock.now_s)})["Location"].startswith(LOGIN)
    assert not is_in(client)


def test_a_pending_login_ends_when_the_password_changes(alice, clock):
    enrol(alice, clock)
    client = Client()
    log_in(client)
    alice.set_password("another long password")
    alice.save(update_fields=["password"])
    client.post(CODE, {"code": code_of(alice, clock.now_s)})
    assert not is_in(client)


def test_the_code_page_requires_a_password_first():
    assert Client().get(CODE)["Location"].startswith(LOGIN)
    assert Client().post(CODE, {"code": "000000"})["Location"].startswith(LOGIN)
    assert Client().get(PAGE)["Location"].startswith(LOGIN)


def test_enrolling_on_the_page_works(alice, clock):
    client = Client()
    log_in(client)
    page = client.get(PAGE).content.decode()
    assert "<svg" in page
    secret = re.search(r'id="secret"[^>]*>([A-Z2-7]{32})<', page)
    assert secret is not None
    assert client.get(PAGE).content.decode().count(secret[1]) == 1, "the secret stays the same until it is enrolled"
    wrong = client.post(PAGE, {"action": "enrol", "code": "000000"})
    assert "not right" in wrong.content.decode()
    assert not SecondFactor.objects.exists()
    salt = client.session["second_factor_salt"]
    done = client.post(PAGE, {"action": "enrol", "code": totp.code_at(totp.secret_of(salt), int(clock.now_s) // 30)})
    assert done["Location"] == PAGE
    page_after = client.get(PAGE).content.decode()
    codes = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", page_after)
    assert len(codes) == 10
    assert not re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", client.get(PAGE).content.decode())
    assert is_in(client), "the session that enrolled continues"
    services.verify_second_factor(user=alice, code=codes[0])


def test_other_sessions_end_with_the_enrolment(alice, clock):
    before = Client()
    log_in(before)
    assert is_in(before)
    enrol(alice, clock)
    assert not is_in(before)


def test_sessions_end_with_a_reset(alice, clock):
    enrol(alice, clock)
    client = Client()
    log_in(client)
    client.post(CODE, {"code": code_of(alice, clock.now_s)})
    assert is_in(client)
    services.remove_second_factor(user=alice)
    assert not is_in(client)


def test_turning_off_and_renewing_codes_require_a_code(alice, clock):
    old = enrol(alice, clock)
    client = Client()
    log_in(client)
    client.post(CODE, {"code": code_of(alice, clock.now_s)})
    for action in ("renew", "disable"):
        client.post(PAGE, {"action": action, "code": "000000"})
        client.post(PAGE, {"action": action})
    assert set(RecoveryCode.objects.values_list("used_at", flat=True)) == {None}
    assert SecondFactor.objects.count() == 1
    assert client.post(PAGE, {"action": "renew", "code": old[0]})["Location"] == PAGE
    new = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", client.get(PAGE).content.decode())
    assert len(new) == 10
    assert not set(new) & set(old)
    clock.now_s += 30
    assert client.post(PAGE, {"action": "disable", "code": code_of(alice, clock.now_s)})["Location"] == "/admin/"
    assert is_in(client)
    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert actions()[-1] == "second_factor.disabled"


def test_a_user_cannot_have_two_factors(alice, clock):
    enrol(alice, clock)
    with pytest.raises(SecondFactorExists):
        enrol(alice, clock)
    assert SecondFactor.objects.count() == 1
    assert RecoveryCode.objects.count() == 10


class TestRequired:
    @pytest.fixture(autouse=True)
    def _required(self, settings):
        settings.RENDEROWL_STAFF_TOTP = "required"

    def test_users_without_a_factor_must_enrol_to_log_in(self, alice, clock):
        client = Client()
        assert log_in(client)["Location"] == PAGE
        assert not is_in(client)
        client.get(PAGE)
        salt = client.session["second_factor_salt"]
        code = totp.code_at(totp.secret_of(salt), int(clock.now_s) // 30)
        assert client.post(PAGE, {"action": "enrol", "code": code})["Location"] == PAGE
        assert len(re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", client.get(PAGE).content.decode())) == 10
        assert is_in(client)
        assert actions() == ["second_factor.enrolled", "login.succeeded"]

    def test_sessions_end_when_a_factor_becomes_required(self, alice, settings):
        settings.RENDEROWL_STAFF_TOTP = "optional"
        client = Client()
        log_in(client)
        settings.RENDEROWL_STAFF_TOTP = "required"
        assert not is_in(client)

    def test_a_required_factor_cannot_be_turned_off(self, alice, clock):
        enrol(alice, clock)
        client = Client()
        log_in(client)
        client.post(CODE, {"code": code_of(alice, clock.now_s)})
        assert 'value="disable"' not in client.get(PAGE).content.decode()
        clock.now_s += 30
        client.post(PAGE, {"action": "disable", "code": code_of(alice, clock.now_s)})
        assert SecondFactor.objects.exists()

    def test_tokens_require_a_factor_too(self, api, alice):
        body = {"username": "alice", "password": PASSWORD}
        assert api.post("/api/v2/auth/token", body).status_code == 401
        make_user("carol")
        assert api.post("/api/v2/auth/token", {**body, "username": "carol"}).status_code == 200


def test_tokens_require_a_code_of_users_with_a_factor(api, alice, clock):
    codes = enrol(alice, clock)
    body = {"username": "alice", "password": PASSWORD}
    for extra in ({}, {"code": ""}, {"code": "000000"}):
        refused = api.post("/api/v2/auth/token", {**body, **extra})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    for code in (code_of(alice, clock.now_s), codes[0]):
        assert api.post("/api/v2/auth/token", {**body, "code": code}).status_code == 200
        assert api.post("/api/v2/auth/token", {**body, "code": code}).status_code == 401


def test_a_superuser_resets_the_factor_of_another_user(alice, clock):
    bob = make_user("bob", is_staff=True)
    enrol(alice, clock)
    enrol(bob, clock)
    client = Client()
    log_in(client)
    client.post(CODE, {"code": code_of(alice, clock.now_s)})
    rows = [str(pk) for pk in SecondFactor.objects.values_list("pk", flat=True)]
    client.post("/admin/accounts/secondfactor/", {"action": "reset", "_selected_action": rows})
    assert list(SecondFactor.objects.values_list("user__username", flat=True)) == ["alice"]
    entry = AuditEntry.objects.get(action="second_factor.reset")
    assert (entry.actor, entry.subject, entry.address) == (alice, bob.public_id, "127.0.0.1")


def test_the_command_removes_the_factor(alice, clock, capsys):
    enrol(alice, clock)
    call_command("reset_second_factor", "alice")
    assert not SecondFactor.objects.exists()
    assert AuditEntry.objects.get(action="second_factor.reset").actor is None
    call_command("reset_second_factor", "alice")
    assert capsys.readouterr().out.splitlines() == ["alice: second factor removed", "alice: had no second factor"]


def test_wrong_passwords_are_audited_for_staff_only(api, alice):
    for name in ("alice", "mallory"):
        log_in(Client(), "wrong", name)
        api.post("/api/v2/auth/token", {"username": name, "password": "wrong"})
    assert (
        list(AuditEntry.objects.filter(action="login.failed").values_list("subject", "address"))
        == [(alice.public_id, "127.0.0.1")] * 2
    )


def test_a_recovery_code_is_found_by_its_index(alice, clock):
    enrol(alice, clock)
    factor = SecondFactor.objects.get()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = RecoveryCode.objects.filter(factor=factor, digest="0" * 64).explain()
    assert "idx_recovery_codes_factor_digest" in plan


@pytest.mark.parametrize("value", ["mandatory", "Required", ""])
def test_a_misspelled_setting_is_reported(settings, value):
    from accounts.checks import check_staff_totp

    settings.RENDEROWL_STAFF_TOTP = value
    assert [message.id for message in check_staff_totp(None)] == ["renderowl.E014"]


def test_works_with_the_real_clock(alice):
    now_s = time.time()
    services.enrol_second_factor(user=alice, salt="s", code=totp.code_at(totp.secret_of("s"), int(now_s) // 30))
    services.verify_second_factor(user=alice, code=code_of(alice, time.time() + 30))


def test_probes_do_not_query_sessions(alice, django_assert_num_queries):
    client = Client()
    log_in(client)
    for path in ("/live", "/api/v2/me", "/problems/not-found"):
        with django_assert_num_queries(0):
            client.get(path)
