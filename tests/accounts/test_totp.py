"""One-time passwords, checked against the test vectors of the RFCs."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts import totp

# RFC 6238, appendix B, for SHA-1; its codes have 8 digits, of which ours are the last 6.
SECRET = b"12345678901234567890"
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
# RFC 4226, appendix D.
COUNTED = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]


@pytest.mark.parametrize(("now_s", "code"), VECTORS)
def test_matches_the_vectors_of_rfc_6238(now_s: int, code: str) -> None:
    assert totp.code_at(SECRET, now_s // 30) == code[-6:]
    assert totp.matching_step(SECRET, code[-6:], now_s) == now_s // 30


def test_matches_the_vectors_of_rfc_4226() -> None:
    assert [totp.code_at(SECRET, step) for step in range(10)] == COUNTED


def test_only_one_step_either_way_is_tolerated() -> None:
    now_s = 1_800_000_015
    step = now_s // 30
    good = [shift for shift in range(-4, 5) if totp.matching_step(SECRET, totp.code_at(SECRET, step + shift), now_s)]
    assert good == [-1, 0, 1]


def test_malformed_codes_match_nothing() -> None:
    for text in ("", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "\x00" * 6):
        assert totp.matching_step(SECRET, text, 59) is None


def test_secrets_depend_on_salt_and_key(settings) -> None:
    secret = totp.secret_of("a")
    assert len(secret) == 20
    assert secret not in {totp.secret_of("b"), settings.SECRET_KEY.encode()}
    settings.SECRET_KEY = "another key of this installation"
    assert totp.secret_of("a") != secret


def test_the_uri_has_the_parameters_of_apps() -> None:
    parts = urlsplit(totp.enrolment_uri(SECRET, "a/b@c d"))
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Renderowl:a%2Fb%40c%20d")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert base64.b32decode(query.pop("secret")) == SECRET
    assert query == {"issuer": "Renderowl", "digits": "6", "period": "30"}
