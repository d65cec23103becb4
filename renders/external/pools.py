"""Parser of RENDER_WEBHOOK_SECRETS: the pools of external workers and their secrets."""

from __future__ import annotations

import re

from outbound.signing import SECRET_PREFIX, parse_secret

DEFAULT_POOL = "default"
MAX_SECRETS = 2
# 24 random bytes have fewer distinct values once in 10^20 times, typed or repeated ones nearly always.
MIN_DISTINCT_BYTES = 10
_POOL = re.compile(r"[A-Za-z0-9_-]{1,64}")


def parse_pools(text: str) -> dict[str, tuple[bytes, ...]]:
    """Parse `whsec_..., gpu=whsec_..., gpu=whsec_...` into the secrets of each pool.

    A secret without a pool belongs to `default`. A pool has at most two, for rotation. Pools cannot share a secret, or
    a worker of one could sign for the other.
    Raises ValueError, whose message never contains a secret.
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
