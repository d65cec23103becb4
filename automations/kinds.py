"""The kinds of notice that this app gives."""

from core.notices import NoticeKind, notice_kinds

MESSAGE = notice_kinds.register(NoticeKind("automation.message", "An automation of yours has something to say"))
FAILED = notice_kinds.register(NoticeKind("automation.failed", "A run of an automation failed"))
PAUSED = notice_kinds.register(
    NoticeKind("automation.paused", "An automation failed too often and was paused", email=True)
)
