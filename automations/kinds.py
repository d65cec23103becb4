"""The kinds of notice that this app gives."""

from core.notices import NoticeKind

MESSAGE = NoticeKind("automation.message", "An automation of yours has something to say")
FAILED = NoticeKind("automation.failed", "A run of an automation failed")
PAUSED = NoticeKind("automation.paused", "An automation failed too often and was paused", email=True)

KINDS = (MESSAGE, FAILED, PAUSED)
