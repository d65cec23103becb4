"""The state of tags: read with every answer that may be kept, raised by triggers and by `clear_cache`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from core.cache_tags.families import EVERYTHING
from core.cache_tags.models import CacheTag

MAX_STEP = 2**31 - 1
FOLDED_AT_ONCE = 50_000
Generations = Mapping[str, int]
_SQLITE = """
    SELECT group_concat(family || '=' || generation, ';') FROM core_cachetag WHERE account IN ('', {account})
"""
_POSTGRES = """
    SELECT string_agg(family || '=' || generation, ';') FROM (
        SELECT family, sum(generation)::bigint AS generation FROM (
            SELECT family, generation FROM core_cachetag WHERE account IN ('', {account})
            UNION ALL SELECT family, amount FROM core_cachebump WHERE account = {account}
        ) AS steps GROUP BY family
    ) AS tags
"""
_FOLD = """
    WITH taken AS (
        DELETE FROM core_cachebump WHERE id IN (SELECT id FROM core_cachebump ORDER BY id LIMIT %s)
        RETURNING account, family, amount
    ), sums AS (
        SELECT account, family, sum(amount)::bigint AS amount, count(*) AS bumps FROM taken
        GROUP BY account, family ORDER BY account, family
    ), kept AS (
        INSERT INTO core_cachetag (account, family, generation) SELECT account, family, amount FROM sums
        ON CONFLICT (account, family) DO UPDATE SET generation = core_cachetag.generation + excluded.generation
    )
    SELECT coalesce(sum(bumps), 0)::bigint FROM sums
"""


def generations_sql(vendor: str, account: str) -> str:
    """Return a query for the state of an account's tags, one text: a part of the one that authenticates.

    account: SQL of the account's id as 32 digits, without parameters, or with one that may stand there twice.
    """
    return (_SQLITE if vendor == "sqlite" else _POSTGRES).format(account=account)


def parse_generations(text: str | None) -> Generations:
    """Return what the query gave, by family: the account's own tag and that of all accounts are one sum."""
    found: dict[str, int] = {}
    for part in (text or "").split(";"):
        family, _, number = part.partition("=")
        if number:
            found[family] = found.get(family, 0) + int(number)
    return found


def read_generations(account_id: UUID) -> Generations:
    """Return the state of an account's tags.

    Read it before the rows that an answer is made of: what changes in between then makes the answer stale, never
    fresh by mistake.
    """
    # Hexadecimal digits need no quoting.
    text = generations_sql(connection.vendor, f"'{account_id.hex}'")
    with connection.cursor() as cursor:
        cursor.execute(text)
        return parse_generations(cursor.fetchone()[0])


def state_of(generations: Generations, names: Sequence[str]) -> str | None:
    """Return the state of some families as one text, None where changes are not being followed, so nothing holds."""
    if EVERYTHING not in generations:
        return None
    return ";".join(f"{name}={generations.get(name, 0)}" for name in (EVERYTHING, *names))


def raise_generation(*, family: str = EVERYTHING, account_id: UUID | None = None) -> None:
    """Make every answer with a tag stale: at once, whatever their number. account_id: None for all accounts."""
    step = 1 + secrets.randbelow(MAX_STEP)
    account = account_id.hex if account_id else ""
    with transaction.atomic():
        CacheTag.objects.get_or_create(account=account, family=family, defaults={"generation": step})
        CacheTag.objects.filter(account=account, family=family).update(generation=F("generation") + step)


def fold_bumps() -> int:
    """Add to the tags what PostgreSQL's triggers left beside them; return how many changes that were.

    One statement: whoever reads sees each change once, before and after.
    """
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, [FOLDED_AT_ONCE])
        return int(cursor.fetchone()[0])
