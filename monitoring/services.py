"""Services of the error log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.services import record_audit
from core.ids import encode_id
from monitoring.models import ErrorLog


@transaction.atomic
def resolve_error(*, error_id: UUID, user: Any) -> bool:
    """Mark an error as resolved; return whether it was open. If it recurs, it opens a new row."""
    resolved = ErrorLog.objects.filter(pk=error_id, resolved_at__isnull=True).update(
        resolved_at=timezone.now(), resolved_by=user
    )
    if resolved:
        record_audit(action="error.resolved", subject=encode_id(ErrorLog.ID_PREFIX, error_id), actor=user)
    return bool(resolved)
