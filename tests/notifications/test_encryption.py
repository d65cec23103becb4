"""Encryption of secrets at rest, and rotation of SECRET_KEY."""

import pytest

from notifications.encryption import DecryptionError, decrypt, encrypt


def test_round_trips_and_encrypts_differently_each_time():
    assert decrypt(encrypt("whsec_ä")) == "whsec_ä"
    assert encrypt("x") != encrypt("x")
    assert "whsec" not in encrypt("whsec_x")


def test_refuses_to_decrypt_an_altered_text():
    encrypted = encrypt("x")
    for broken in ("", "x", encrypted[:-4] + "AAA=", encrypted[10:]):
        with pytest.raises(DecryptionError):
            decrypt(broken)


def test_an_old_key_decrypts_while_it_is_a_fallback(settings):
    encrypted, old = encrypt("x"), settings.SECRET_KEY
    settings.SECRET_KEY = "new" * 20
    with pytest.raises(DecryptionError):
        decrypt(encrypted)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert decrypt(encrypted) == "x"
