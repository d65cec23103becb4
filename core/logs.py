"""Log records carry the request they belong to."""

from __future__ import annotations

import logging

from core.context import request_id


class RequestIdFilter(logging.Filter):
    """Add `request_id` to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, enriched."""
        record.request_id = request_id.get()
        return True
