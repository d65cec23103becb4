"""Make the digests of the figures that there are. The figures stay, so that there is nothing to be undone."""

from collections import Counter
from uuid import UUID, uuid5

import orjson
from django.db import migrations

NAMESPACE = UUID("0b8bd0f7-5a0c-4f51-8a5e-2f3f6d6d3c11")
ALL_PROJECTS = UUID(int=2**128 - 1)
NUMBERS = ("duration_ms", "work_ms", "waited_ms", "credits", "size_bytes")
STORAGE = ("render.succeeded", "render.output_deleted", "asset.ready", "asset.deleted")


def fill(apps, schema_editor):
    """Fill the table, a span of time after the other."""
    digest_model = apps.get_model("analytics", "Digest")
    for interval, name in (("hour", "HourlyStat"), ("day", "DailyStat")):
        stats = apps.get_model("analytics", name).objects
        for start in stats.order_by("start").values_list("start", flat=True).distinct().iterator():
            rows = digests(digest_model, interval, start, stats.filter(start=start).iterator())
            digest_model.objects.bulk_create(rows, batch_size=500)


def digests(model, interval, start, stats):
    """Return the digests of one span."""
    contents = {}
    for stat in stats:
        latest = []
        if stat.latest_at is not None and stat.latest_id is not None:
            latest = [stat.latest_at.isoformat(timespec="microseconds"), stat.latest_id.hex]
        entry = [stat.count, *(getattr(stat, name) for name in NUMBERS)]
        waits = {name: int(count) for name, _, count in (item.partition("=") for item in stat.waits.split())}
        places = ((stat.user_id, stat.project_id), (stat.user_id, ALL_PROJECTS), (None, ALL_PROJECTS))
        for place in places:
            entries, all_waits = contents.setdefault(place, ({}, Counter()))
            old, newest = entries.get((stat.type, stat.code), ([0] * len(entry), []))
            added = [one + other for one, other in zip(old, entry, strict=True)]
            entries[stat.type, stat.code] = (added, max(newest, latest))
            all_waits.update(waits)
    return [digest(model, interval, start, *place, *content) for place, content in contents.items()]


def digest(model, interval, start, user_id, project_id, entries, waits):
    """Return one digest."""
    user = user_id.hex if user_id else "-"
    kinds = {f"{kind} {code}": [*entry, *newest] for (kind, code), (entry, newest) in entries.items()}
    succeeded = kinds.get("render.succeeded ", [0] * 6)
    return model(
        pk=uuid5(NAMESPACE, f"{interval} {int(start.timestamp())} {user} {project_id.hex}"),
        interval=interval,
        start=start,
        user_id=user_id,
        project_id=project_id,
        stored_bytes=sum(entry[5] for (kind, _), (entry, _) in entries.items() if kind in STORAGE),
        renders=succeeded[0],
        work_ms=succeeded[2],
        credits=succeeded[4],
        waits=orjson.dumps(dict(waits), option=orjson.OPT_SORT_KEYS).decode(),
        kinds=orjson.dumps(kinds, option=orjson.OPT_SORT_KEYS).decode(),
    )


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0003_digests"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
