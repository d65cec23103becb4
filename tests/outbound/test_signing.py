"""Signed messages: the published vector, the reference library, and invalid messages."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ImproperlyConfigured
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from outbound import signing
from outbound.signing import SignatureRefused, SignedMessage
from renderowl.environment import pool_secrets
from renders.checks import check_worker_secrets
from renders.external.pools import parse_pools

SECRET_TEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = bytes(range(32))
MESSAGE = SignedMessage(
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "1614265330",
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    b'{"test": 2432232314}',
)
NOW = 1614265330


def refused(message: SignedMessage, *, now: float = NOW, secrets: tuple[bytes, ...] = (SECRET,)) -> bool:
    try:
        signing.verify(message, secrets=secrets, now=now)
    except SignatureRefused:
        return True
    return False


def test_the_published_vector():
    assert signing.parse_secret(SECRET_TEXT) == SECRET
    signature = signing.sign(secret=SECRET, message_id=MESSAGE.message_id, timestamp=NOW, body=MESSAGE.body)
    assert signature == MESSAGE.signatures
    assert signing.verify(MESSAGE, secrets=[SECRET], now=NOW) == 0


def test_the_reference_library_accepts_what_we_sign():
    now = int(datetime.now(tz=UTC).timestamp())
    text = signing.new_secret()
    body = '{"name": "Ünïcode"}'.encode()
    headers = signing.signed_headers(
        secrets=[OTHER, signing.parse_secret(text)], message_id="msg_1", timestamp=now, body=body
    )
    assert Webhook(text).verify(body, headers) == {"name": "Ünïcode"}
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(body, headers)


def test_we_accept_what_the_reference_library_signs():
    moment = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    signature = Webhook(SECRET_TEXT).sign("msg_2", moment, '{"a": 1}')
    stamp = int(moment.timestamp())
    message = SignedMessage("msg_2", str(stamp), signature, b'{"a": 1}')
    assert signing.verify(message, secrets=[OTHER, SECRET], now=stamp) == 1


@pytest.mark.parametrize("field", ["message_id", "time_text", "signatures", "body"])
def test_every_bit_counts(field):
    value = getattr(MESSAGE, field)
    raw = value if isinstance(value, bytes) else value.encode("latin-1")
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        wrong = bytes(flipped) if isinstance(value, bytes) else flipped.decode("latin-1")
        assert refused(replace(MESSAGE, **{field: wrong})), (field, bit)


@pytest.mark.parametrize(("skew_s", "is_refused"), [(-301, True), (-300, False), (0, False), (300, False), (301, True)])
def test_a_message_is_valid_for_five_minutes_either_way(skew_s, is_refused):
    assert refused(MESSAGE, now=NOW + skew_s) is is_refused


@pytest.mark.parametrize(
    "time_text", ["", " 1614265330", "+1614265330", "1614265330.0", "1_614_265_330", "١٦١٤٢٦٥٣٣٠", "9" * 400, "nan"]
)
def test_a_timestamp_is_whole_seconds_and_nothing_else(time_text):
    assert refused(replace(MESSAGE, time_text=time_text))


def test_a_full_stop_cannot_move_from_the_time_to_the_id():
    body = b"{}"
    signature = signing._signature(SECRET, "msg_1.16", "14265330", body)
    assert refused(SignedMessage("msg_1.16", "14265330", signature, body), now=14265330)
    with pytest.raises(ValueError, match="an id has"):
        signing.sign(secret=SECRET, message_id="msg_1.16", timestamp=NOW, body=body)


@pytest.mark.parametrize(
    "signatures",
    [
        "",
        "v1",
        "v1,",
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ],
)
def test_a_malformed_signature_is_refused(signatures):
    assert refused(replace(MESSAGE, signatures=signatures))


def test_one_good_signature_among_others_is_enough():
    several = f"v1a,abc v1,AAAA {MESSAGE.signatures} \udcff"
    assert not refused(replace(MESSAGE, signatures=several))


def test_the_index_of_the_first_matching_secret_is_returned():
    assert signing.verify(MESSAGE, secrets=[OTHER, SECRET], now=NOW) == 1
    assert signing.verify(MESSAGE, secrets=[SECRET, SECRET], now=NOW) == 0
    assert refused(MESSAGE, secrets=(OTHER,))
    assert refused(MESSAGE, secrets=())


@pytest.mark.parametrize("absent", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_absent_header_is_refused_like_a_wrong_one(absent):
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
    del headers[absent]
    with pytest.raises(SignatureRefused) as refusal:
        SignedMessage.from_headers(headers, b"")
    assert refusal.value.detail == SignatureRefused("another reason").detail


def test_new_secrets_are_long_and_differ():
    secrets = {signing.new_secret() for _ in range(10)}
    assert len(secrets) == 10
    assert {len(signing.parse_secret(text)) for text in secrets} == {32}


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_have_24_to_64_bytes(size):
    assert signing.parse_secret(signing.format_secret(bytes(size))) == bytes(size)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        SECRET_TEXT.removeprefix("whsec_"),
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjU PD8ILPZIo2LaLaSw",
        signing.format_secret(bytes(23)),
        signing.format_secret(bytes(65)),
    ],
)
def test_a_malformed_secret_is_refused_without_showing_it(text):
    with pytest.raises(ValueError, match="a secret") as refusal:
        signing.parse_secret(text)
    assert "MfKQ" not in str(refusal.value)


def test_pools_have_one_or_two_secrets_each():
    first, second, other = (signing.new_secret() for _ in range(3))
    assert parse_pools("") == {}
    assert parse_pools(f" {first} ,gpu={other},\n{second}") == {
        "default": (signing.parse_secret(first), signing.parse_secret(second)),
        "gpu": (signing.parse_secret(other),),
    }


WEAK = signing.format_secret(b"password" * 4)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("secret", "an item is"),
        ("=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "an item is"),
        ("a b=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "an item is"),
        ("gpu=secret", "begins with"),
        (signing.format_secret(bytes(range(23))), "24 to 64 bytes"),
        (WEAK, "can be guessed"),
        (",".join(signing.new_secret() for _ in range(3)), "more than 2"),
        (f"{SECRET_TEXT},gpu={SECRET_TEXT}", "named twice"),
    ],
)
def test_refuses_pools_that_cannot_be_trusted_without_showing_secrets(text, fault, monkeypatch):
    with pytest.raises(ValueError, match=fault) as refusal:
        parse_pools(text)
    assert "MfKQ" not in str(refusal.value)
    monkeypatch.setenv("RENDER_WEBHOOK_SECRETS", text)
    with pytest.raises(ImproperlyConfigured, match="RENDER_WEBHOOK_SECRETS"):
        pool_secrets("RENDER_WEBHOOK_SECRETS")


def test_random_secrets_are_accepted():
    for size in (24, 64):
        assert all(parse_pools(signing.format_secret(os.urandom(size))) for _ in range(200))


def test_the_published_secret_is_refused(settings):
    settings.RENDEROWL_WORKER_SECRETS = {"gpu": (OTHER,)}
    assert check_worker_secrets(None) == []
    settings.RENDEROWL_WORKER_SECRETS = {"gpu": (OTHER, SECRET)}
    (error,) = check_worker_secrets(None)
    assert (error.id, "MfKQ" in str(error)) == ("renderowl.E012", False)
