"""Tag versions: read with every cacheable response, incremented by triggers and by `clear_cache`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from core.cache_tags.models import CacheTag
from core.cache_tags.registry import GLOBAL_TAG

MAX_STEP = 2**31 - 1
COMPACT_BATCH_SIZE = 50_000
TagVersions = Mapping[str, int]
_SQLITE = """
    SELECT group_concat(tag || '=' || version, ';') FROM core_cachetag WHERE account IN ('', {account})
"""
_POSTGRES = """
    SELECT string_agg(tag || '=' || version, ';') FROM (
        SELECT tag, sum(version)::bigint AS version FROM (
            SELECT tag, version FROM core_cachetag WHERE account IN ('', {account})
            UNION ALL SELECT tag, amount FROM core_tagincrement WHERE account = {account}
        ) AS steps GROUP BY tag
    ) AS tags
"""
_COMPACT = """
    WITH deleted AS (
        DELETE FROM core_tagincrement WHERE id IN (SELECT id FROM core_tagincrement ORDER BY id LIMIT %s)
        RETURNING account, tag, amount
    ), sums AS (
        SELECT account, tag, sum(amount)::bigint AS amount, count(*) AS increments FROM deleted
        GROUP BY account, tag ORDER BY account, tag
    ), merged AS (
        INSERT INTO core_cachetag (account, tag, version) SELECT account, tag, amount FROM sums
        ON CONFLICT (account, tag) DO UPDATE SET version = core_cachetag.version + excluded.version
    )
    SELECT coalesce(sum(increments), 0)::bigint FROM sums
"""


def tag_versions_sql(vendor: str, account: str) -> str:
    """Return a query for an account's tag versions as one text; the query that authenticates includes it.

    account: SQL of the account's id as 32 hexadecimal digits; on PostgreSQL the query has it twice.
    """
    return (_SQLITE if vendor == "sqlite" else _POSTGRES).format(account=account)


def parse_tag_versions(text: str | None) -> TagVersions:
    """Return the versions by tag: the sum of the account's own tag and that of all accounts."""
    found: dict[str, int] = {}
    for part in (text or "").split(";"):
        tag, _, number = part.partition("=")
        if number:
            found[tag] = found.get(tag, 0) + int(number)
    return found


def read_tag_versions(account_id: UUID) -> TagVersions:
    """Return an account's tag versions.

    Read them before the rows of a response: a change in between then makes the response stale, never wrongly fresh.
    """
    # Hexadecimal digits need no quoting.
    text = tag_versions_sql(connection.vendor, f"'{account_id.hex}'")
    with connection.cursor() as cursor:
        cursor.execute(text)
        return parse_tag_versions(cursor.fetchone()[0])


def format_tag_versions(versions: TagVersions, tags: Sequence[str]) -> str | None:
    """Return the versions of some tags as one text, None while changes are not tracked and nothing is cacheable."""
    if GLOBAL_TAG not in versions:
        return None
    return ";".join(f"{tag}={versions.get(tag, 0)}" for tag in (GLOBAL_TAG, *tags))


def increment_tag(*, tag: str = GLOBAL_TAG, account_id: UUID | None = None) -> None:
    """Invalidate every response with a tag. account_id: None for all accounts."""
    step = 1 + secrets.randbelow(MAX_STEP)
    account = account_id.hex if account_id else ""
    with transaction.atomic():
        CacheTag.objects.get_or_create(account=account, tag=tag, defaults={"version": step})
        CacheTag.objects.filter(account=account, tag=tag).update(version=F("version") + step)


def compact_tag_increments() -> int:
    """Add the increments of PostgreSQL's triggers to their tags; return how many there were.

    One statement, so that readers count each change once, before and after it.
    """
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_COMPACT, [COMPACT_BATCH_SIZE])
        return int(cursor.fetchone()[0])
