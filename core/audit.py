"""The record of who did what, for apps that cannot see who keeps it. Accounts registers the recorder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from core.registry import Registry, identity


class AuditRecorder(Protocol):
    """Keeps an entry in the caller's transaction."""

    def __call__(self, *, action: str, subject: str, actor: Any, details: Mapping[str, Any]) -> object:
        """Add the entry. actor: a user; subject: the public id of what was acted upon; details: no secrets."""


audit_recorders = Registry[AuditRecorder, AuditRecorder]("recorder", key=identity)


def record_action(*, action: str, subject: str, actor: Any, details: Mapping[str, Any] | None = None) -> None:
    """Keep that somebody did something, in the open transaction."""
    for recorder in audit_recorders:
        recorder(action=action, subject=subject, actor=actor, details=details or {})
