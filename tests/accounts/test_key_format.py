"""The format of API keys, checked against an independent CRC-32."""

import re

import pytest

from accounts.key_format import compose_key, parse_key

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def crc32_bit_by_bit(data: bytes) -> int:
    """CRC-32 as ISO 3309 defines it, without the library that the product uses."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def from_base62(text: str) -> int:
    number = 0
    for character in text:
        number = number * 62 + ALPHABET.index(character)
    return number


@pytest.mark.parametrize("head", ["ro_live", "ro_test", "ro_wrk"])
def test_has_the_published_form(head):
    key = compose_key(head).text
    assert re.fullmatch(rf"{head}_[0-9A-Za-z]{{8}}_[0-9A-Za-z]{{38}}", key)


def test_ends_in_the_checksum_of_the_preceding_text():
    for _ in range(50):
        key = compose_key("ro_live").text
        assert from_base62(key[-6:]) == crc32_bit_by_bit(key[:-6].encode())


def test_parses_composed_keys():
    key = compose_key("ro_test")
    assert parse_key(key.text) == key
    assert key.text.split("_")[2] == key.prefix


def test_no_two_keys_are_alike():
    keys = [compose_key("ro_live") for _ in range(200)]
    assert len({key.text for key in keys}) == len({key.prefix for key in keys}) == 200


def test_refuses_every_single_flipped_character():
    key = compose_key("ro_live").text
    for position in range(len(key)):
        other = "x" if key[position] != "x" else "y"
        assert parse_key(key[:position] + other + key[position + 1 :]) is None, position


@pytest.mark.parametrize(
    "junk", ["", "ro_", "ro_live_", "x" * 55, "ro_prod_AAAAAAAA_" + "A" * 38, "ro_live_ÄÄÄÄÄÄÄÄ_" + "A" * 38]
)
def test_refuses_malformed_keys(junk):
    assert parse_key(junk) is None


def test_refuses_a_key_with_a_line_end():
    assert parse_key(compose_key("ro_live").text + "\n") is None


def test_its_repr_contains_no_secret():
    key = compose_key("ro_live")
    assert key.text not in repr(key)
