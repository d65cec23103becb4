"""Public ids and UUIDv7."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.ids import ALPHABET, decode_id, encode_id, uuid7


def test_uuid7_carries_version_and_variant() -> None:
    value = uuid7()
    assert value.version == 7
    assert value.variant == uuid.RFC_4122


def test_uuid7_increases_strictly_within_a_process() -> None:
    values = [uuid7() for _ in range(20_000)]
    assert values == sorted(values)
    assert len(set(values)) == len(values)


def test_uuid7_is_unique_over_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [uuid7() for _ in range(2_000)], range(8)))
    assert len({value for batch in batches for value in batch}) == 16_000


def test_public_id_is_26_characters_of_crockford_base32() -> None:
    value = uuid.UUID("018f0000-0000-7000-8000-000000000001")
    text = encode_id("rnd", value)
    prefix, _, tail = text.partition("_")
    assert prefix == "rnd"
    assert len(tail) == 26
    assert int("".join(f"{ALPHABET.index(c):05b}" for c in tail), 2) == value.int


def test_public_ids_sort_as_their_uuids() -> None:
    values = [uuid7() for _ in range(100)]
    assert sorted(encode_id("rnd", v) for v in values) == [encode_id("rnd", v) for v in values]


def test_round_trip() -> None:
    for _ in range(200):
        value = uuid.uuid4()
        assert decode_id("ast", encode_id("ast", value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rnd",
        "rnd_",
        "ast_00000000000000000000000000",
        "rnd_0000000000000000000000000",
        "rnd_000000000000000000000000000",
        "rnd_0000000000000000000000000i",
        "rnd_0000000000000000000000000O",
        "rnd_ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "rnd_8zzzzzzzzzzzzzzzzzzzzzzzzz",
        "rnd_0000000000000000000000000\n",
        "rnd-00000000000000000000000000",
    ],
)
def test_refuses_text_that_encode_would_not_return(text: str) -> None:
    with pytest.raises(ValueError, match="not a rnd id"):
        decode_id("rnd", text)
