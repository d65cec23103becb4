"""Indexes with the names of the design."""

from __future__ import annotations

from django.db import models


class NamedIndex(models.Index):
    """An index whose name may have up to 63 characters, the limit of PostgreSQL.

    Django stops at 30 for the sake of Oracle, which this product does not support.
    """

    max_name_length = 63
