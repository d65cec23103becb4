"""How long messages of workers are kept."""

from datetime import timedelta

from core.retention import Retention, retentions
from renders.models import WorkerMessage

# Much longer than a signature is good for: even a message that waited is told from a new one.
retentions.register(
    Retention(
        "messages of external workers",
        lambda: timedelta(hours=24),
        lambda moment: WorkerMessage.objects.filter(created_at__lt=moment).order_by("created_at"),
        is_fixed=True,
        batch_size=2000,
    )
)
