"""Secrets at rest: opened by who sealed them, by nobody else, and still after the key was changed in order."""

import pytest

from notifications.sealing import SealBroken, seal, unseal


def test_opens_what_it_sealed_and_seals_differently_each_time():
    assert unseal(seal("whsec_ä")) == "whsec_ä"
    assert seal("x") != seal("x")
    assert "whsec" not in seal("whsec_x")


def test_an_altered_text_is_not_opened():
    sealed = seal("x")
    for broken in ("", "x", sealed[:-4] + "AAA=", sealed[10:]):
        with pytest.raises(SealBroken):
            unseal(broken)


def test_an_old_key_opens_as_long_as_it_is_named(settings):
    sealed, old = seal("x"), settings.SECRET_KEY
    settings.SECRET_KEY = "new" * 20
    with pytest.raises(SealBroken):
        unseal(sealed)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert unseal(sealed) == "x"
