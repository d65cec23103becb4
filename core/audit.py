"""Audit log interface for apps that cannot import the log itself. `accounts` registers the recorder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from core.registry import Registry, identity


class AuditRecorder(Protocol):
    """Adds an entry to the audit log, in the caller's transaction."""

    def __call__(self, *, action: str, subject: str, actor: Any, details: Mapping[str, Any]) -> object:
        """Add the entry. actor: a user; subject: the public id of the object; details: no secrets."""


audit_recorders = Registry[AuditRecorder, AuditRecorder]("recorder", key=identity)


def record_action(*, action: str, subject: str, actor: Any, details: Mapping[str, Any] | None = None) -> None:
    """Record a user's action in the open transaction."""
    for recorder in audit_recorders:
        recorder(action=action, subject=subject, actor=actor, details=details or {})
