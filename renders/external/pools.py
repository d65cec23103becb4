"""Pools of external workers and their secrets, as RENDER_WEBHOOK_SECRETS names them."""

from __future__ import annotations

import re

from outbound.signing import SECRET_PREFIX, parse_secret

DEFAULT_POOL = "default"
MAX_SECRETS = 2
# Of 24 random bytes fewer than this differ once in 10^20 times; of typed or repeated ones, most of the time.
MIN_DISTINCT_BYTES = 10
_POOL = re.compile(r"[A-Za-z0-9_-]{1,64}")


def parse_pools(text: str) -> dict[str, tuple[bytes, ...]]:
    """Return the secrets of each pool of senders, from `whsec_..., gpu=whsec_..., gpu=whsec_...`.

    A secret without a pool is of the pool `default`. A pool has at most two, so that one can replace the other; no two
    pools share one, or a member of one could speak for the other.
    Raises ValueError, never with a secret in it.
    """
    pools: dict[str, tuple[bytes, ...]] = {}
    seen: set[bytes] = set()
    for item in (part.strip() for part in text.replace("\n", ",").split(",")):
        if not item:
            continue
        name, rest = (DEFAULT_POOL, item) if item.startswith(SECRET_PREFIX) else _split_pool(item)
        secret = parse_secret(rest)
        if len(set(secret)) < MIN_DISTINCT_BYTES:
            raise ValueError(f"a secret of the pool {name} can be guessed: make one from random bytes")
        if secret in seen:
            raise ValueError(f"a secret of the pool {name} is named twice")
        seen.add(secret)
        pools[name] = (*pools.get(name, ()), secret)
        if len(pools[name]) > MAX_SECRETS:
            raise ValueError(f"the pool {name} has more than {MAX_SECRETS} secrets")
    return pools


def _split_pool(item: str) -> tuple[str, str]:
    name, sign_, rest = item.partition("=")
    if not sign_ or not _POOL.fullmatch(name.strip()):
        raise ValueError("an item is a secret, or pool=secret with a pool of letters, digits, dashes and underscores")
    return name.strip(), rest.strip()
