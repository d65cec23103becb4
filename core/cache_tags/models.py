"""The state of tags. Written by triggers, see `core.triggers`; read by `core.cache_tags.generations`."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from core.indexes import NamedIndex


class CacheTag(models.Model):
    """How often what a tag stands for has changed, in random steps, so that no number ever comes back.

    account: the hexadecimal id of the account whose rows it stands for, empty for those of all; family: which rows.
    """

    account = models.CharField(max_length=32, blank=True)
    family = models.CharField(max_length=40)
    generation = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["account", "family"]
        constraints: ClassVar = [
            # One row a tag; also the index that finds the tags of an account, at every request.
            models.UniqueConstraint(models.F("account"), models.F("family"), name="idx_cache_tags_account_family"),
        ]

    def __str__(self) -> str:
        return f"{self.account or 'all'}:{self.family}"


class CacheBump(models.Model):
    """A change on PostgreSQL that has not been added to its tag yet.

    Transactions that change one account's rows would otherwise wait for each other, or lock each other out.
    """

    account = models.CharField(max_length=32)
    family = models.CharField(max_length=40)
    amount = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            # The generations of an account: those of its tags plus what is not added yet.
            NamedIndex(fields=["account"], name="idx_cache_bumps_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account}:{self.family} +{self.amount}"
