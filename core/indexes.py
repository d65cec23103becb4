"""Indexes with long names."""

from __future__ import annotations

from django.db import models


class NamedIndex(models.Index):
    """An index whose name may have 63 characters, PostgreSQL's limit; Django allows 30, for Oracle."""

    max_name_length = 63
