"""Models of cache tags. Written by triggers, see `core.triggers`; read by `core.cache_tags.versions`."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from core.indexes import NamedIndex


class CacheTag(models.Model):
    """The version of a tag, incremented in random steps, so that no number ever repeats.

    account: hexadecimal id of the account whose rows it stands for, empty for all accounts; tag: the kind of rows.
    """

    account = models.CharField(max_length=32, blank=True)
    tag = models.CharField(max_length=40)
    version = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["account", "tag"]
        constraints: ClassVar = [
            # One row per tag; also the index that finds the tags of an account, on every request.
            models.UniqueConstraint(models.F("account"), models.F("tag"), name="idx_cache_tags_account_tag"),
        ]

    def __str__(self) -> str:
        return f"{self.account or 'all'}:{self.tag}"


class TagIncrement(models.Model):
    """A change on PostgreSQL that is not yet added to its tag.

    Otherwise transactions that change one account's rows would wait for each other, or deadlock.
    """

    account = models.CharField(max_length=32)
    tag = models.CharField(max_length=40)
    amount = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            # The versions of an account: those of its tags plus the increments not yet added.
            NamedIndex(fields=["account"], name="idx_tag_increments_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account}:{self.tag} +{self.amount}"
