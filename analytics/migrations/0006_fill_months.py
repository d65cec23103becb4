"""Make the months of the digests that there are. These stay, so that there is nothing to be undone."""

from uuid import UUID

from django.db import migrations
from django.db.models import Sum
from django.db.models.functions import TruncMonth

ALL_PROJECTS = UUID(int=2**128 - 1)


def fill(apps, schema_editor):
    """Add up the days of each account by the month."""
    model = apps.get_model("analytics", "MonthlyUse")
    days = apps.get_model("analytics", "Digest").objects.filter(
        interval="day", project_id=ALL_PROJECTS, user__isnull=False, renders__gt=0
    )
    groups = days.order_by().annotate(month=TruncMonth("start")).values_list("month", "user_id")
    sums = groups.annotate(Sum("renders"), Sum("work_ms"), Sum("credits"))
    rows = (
        model(start=month, user_id=user_id, renders=int(renders), work_ms=int(work_ms), credits=int(paid))
        for month, user_id, renders, work_ms, paid in sums.iterator()
    )
    model.objects.bulk_create(rows, batch_size=500)


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0005_monthly_use"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
