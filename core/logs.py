"""Log records carry the request they belong to, and no signed links."""

from __future__ import annotations

import logging
import re

from core.context import request_id

_SIGNED_LINK = re.compile(r"/files/[^/\s\"']+")


class RequestIdFilter(logging.Filter):
    """Add `request_id` to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, enriched. Django logs some answers when the request's context has ended."""
        current = request_id.get()
        record.request_id = getattr(getattr(record, "request", None), "request_id", current)
        return True


class SignedLinkFilter(logging.Filter):
    """Take the tokens out of signed links: whoever reads the log must not get the files."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, cleaned."""
        message = record.getMessage()
        if "/files/" in message:
            record.msg, record.args = _SIGNED_LINK.sub("/files/...", message), ()
        return True
