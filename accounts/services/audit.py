"""The audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import AuditEntry, User
from core.context import current_client_address


def record_audit(
    *,
    action: str,
    subject: str,
    actor: User | None = None,
    details: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> AuditEntry:
    """Add an entry in the caller's transaction.

    actor: None for commands and the system; details: no secrets; address: by default the client's of this request.
    """
    return AuditEntry.objects.create(
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        action=action,
        subject=subject,
        details=dict(details or {}),
        address=address or current_client_address.get()(),
    )
