"""Retention of the messages of external workers."""

from datetime import timedelta

from core.retention import Retention, retentions
from renders.models import WorkerMessage

# Much longer than a signature is valid: a replay is recognised as long as its signature would be accepted.
retentions.register(
    Retention(
        "messages of external workers",
        lambda: timedelta(hours=24),
        lambda moment: WorkerMessage.objects.filter(created_at__lt=moment).order_by("created_at"),
        is_fixed=True,
        batch_size=2000,
    )
)
