"""How long answers hold."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """How long an answer may be used. ttl_s: by this server; max_age_s: by the client without asking again."""

    ttl_s: int
    max_age_s: int = 0
