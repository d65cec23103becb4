"""Factories of test objects. Each creates what it needs; alice is the owner, bob and charlie are other users."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import count
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts import services as account_services
from accounts.models import User
from assets.models import Asset, AssetHold
from automations.models import Automation, AutomationRun
from automations.services import create_automation
from core.ids import uuid7
from jobs.models import Job
from notifications.encryption import encrypt
from notifications.models import Notification, WebhookDelivery, WebhookEndpoint, WebhookEndpointHealth
from outbound.signing import new_secret
from renders.models import Batch, Project, Render, Template
from renders.services.library import create_template

_numbers = count(1)

# --- Accounts ---------------------------------------------------------------------------------------------------------


def make_user(username: str = "", **fields: Any) -> User:
    """A user with the password "correct horse battery"; `fields` as for `create_user`, or columns of the row."""
    columns = {name: fields.pop(name) for name in ("is_suspended", "is_active", "granted_scopes") if name in fields}
    username = username or f"user{next(_numbers)}"
    user = account_services.create_user(username=username, **{"password": "correct horse battery", **fields})
    for name, value in columns.items():
        setattr(user, name, value)
    if columns:
        user.save(update_fields=list(columns))
    return user


def make_api_key(user: User | None = None, *, scopes: tuple[str, ...] = ("*",), **fields: Any) -> str:
    """The plain text of a new key, as created by staff."""
    return make_minted_key(user, scopes=scopes, **fields).plaintext


def make_minted_key(
    user: User | None = None, *, scopes: tuple[str, ...] = ("*",), **fields: Any
) -> account_services.MintedKey:
    """A new key's row and text."""
    return account_services.create_api_key(user=user or make_user(), scopes=scopes, **fields)


# --- Jobs -------------------------------------------------------------------------------------------------------------


def make_job(*, type: str = "test.job", status: str = "queued", **fields: Any) -> Job:
    """A job row; a running one is leased by `test:1/0.1` for a minute."""
    now = timezone.now()
    columns: dict[str, Any] = {"type": type, "status": status, "scheduled_at": now, "queued_at": now}
    if status == "running":
        lease = now + timedelta(minutes=1)
        columns |= {"worker": "test:1/0.1", "attempts": 1, "started_at": now, "lease_expires_at": lease}
    if status in ("succeeded", "dead", "cancelled"):
        columns |= {"finished_at": now}
    return Job.objects.create(**{**columns, **fields})


# --- Assets -----------------------------------------------------------------------------------------------------------


def make_asset(user: User | None = None, *, content: bytes | None = None, **fields: Any) -> Asset:
    """A ready video of 2 s, 320x180, unless `fields` say otherwise. content: bytes to store as its file."""
    asset_id = fields.pop("id", None) or uuid7()
    sha256 = hashlib.sha256(content if content is not None else asset_id.bytes).hexdigest()
    probe = {"duration_s": 2.0, "width": 320, "height": 180, "fps": 25.0}
    codecs = {"video_codec": "h264", "audio_codec": "aac", "has_alpha": False}
    columns: dict[str, Any] = {
        "name": "clip.mp4",
        "status": "ready",
        "kind": "video",
        "content_type": "video/mp4",
        "sha256": sha256,
        "size_bytes": 1000 if content is None else len(content),
        "probe": probe | codecs,
        "storage_key": f"assets/test/{asset_id}/{sha256}",
    }
    asset = Asset.objects.create(id=asset_id, owner=user or make_user(), **{**columns, **fields})
    if content is not None:
        default_storage.save(asset.storage_key, ContentFile(content))
    return asset


def make_hold(asset: Asset | None = None, *, label: str = "rnd_test", reference: str = "") -> AssetHold:
    """A hold on an asset."""
    return AssetHold.objects.create(asset=asset or make_asset(), label=label, reference=reference or f"test:{uuid7()}")


# --- Renders ----------------------------------------------------------------------------------------------------------


def make_edit(*, length: float = 1.0, **output: Any) -> dict[str, Any]:
    """An edit without files: a title on a blue background, 64x36 at 10 fps unless `output` says otherwise."""
    title = {"type": "title", "text": "owl", "style": "minimal"}
    return {
        "timeline": {"background": "#0000ff", "tracks": [{"clips": [{"asset": title, "start": 0, "length": length}]}]},
        "output": {"format": "mp4", "size": {"width": 64, "height": 36}, "fps": 10, **output},
    }


def make_project(user: User | None = None, **fields: Any) -> Project:
    """A project."""
    return Project.objects.create(owner=user or make_user(), **{"name": f"Project {next(_numbers)}", **fields})


def make_template(user: User | None = None, **fields: Any) -> Template:
    """A template at version 1, with a placeholder NAME."""
    edit = make_edit()
    edit["timeline"]["tracks"][0]["clips"][0]["asset"]["text"] = "{{ NAME }}"
    columns = {"name": f"Template {next(_numbers)}", "edit": edit, "merge": {"NAME": "nobody"}, **fields}
    return create_template(owner=user or make_user(), **columns)


def make_render(user: User | None = None, *, status: str = "queued", **fields: Any) -> Render:
    """A render row, without job, holds or credits; a finished one has output columns but no file."""
    now = timezone.now()
    columns: dict[str, Any] = {"edit": make_edit(), "status": status, "queued_at": now, "credits_reserved": 1}
    if status in ("fetching", "rendering", "saving", "cancelling"):
        columns |= {"attempt": 1, "started_at": now}
    if status in ("succeeded", "failed", "cancelled"):
        columns |= {"finished_at": now, "credits_charged": 0}
    if status == "succeeded":
        columns |= {
            "attempt": 1,
            "percent": 100.0,
            "credits_charged": 1,
            "output_format": "mp4",
            "output_width": 64,
            "output_height": 36,
            "output_fps": 10.0,
            "output_duration_s": 1.0,
            "output_size_bytes": 1000,
            "output_sha256": "0" * 64,
            "output_key": f"renders/test-{next(_numbers)}/1/output.mp4",
        }
    return Render.objects.create(owner=user or make_user(), **{**columns, **fields})


def make_batch(user: User | None = None, *, total: int = 1, **fields: Any) -> Batch:
    """A batch row with rows of queued renders."""
    owner = user or make_user()
    batch = Batch.objects.create(owner=owner, **{"total": total, "pending": total, **fields})
    for _ in range(total):
        make_render(owner, batch=batch)
    return batch


# --- Notifications ----------------------------------------------------------------------------------------------------


def make_notification(user: User | None = None, **fields: Any) -> Notification:
    """An unread notification."""
    columns = {"kind": "render.succeeded", "title": f"Notification {next(_numbers)}", "resource": "rnd_x", **fields}
    return Notification.objects.create(user=user or make_user(), **columns)


# --- Automations ------------------------------------------------------------------------------------------------------


def make_automation(user: User | None = None, **fields: Any) -> Automation:
    """An automation with a manual trigger that notifies its owner with "Hello", unless `fields` say otherwise."""
    columns: dict[str, Any] = {
        "name": f"Automation {next(_numbers)}",
        "trigger": {"type": "manual"},
        "action": {"type": "notify", "title": "Hello"},
        "author_scopes": ("automations:write", "renders:write"),
        **fields,
    }
    return create_automation(owner=user or make_user(), **columns)


def make_run(automation: Automation | None = None, **fields: Any) -> AutomationRun:
    """A run row, queued unless `fields` say otherwise."""
    automation = automation or make_automation()
    number = next(_numbers)
    columns = {"trigger_type": "manual", "trigger_key": f"manual:{number}", "input": {"id": str(number)}, **fields}
    if columns.get("status", "queued") != "queued":
        columns.setdefault("finished_at", timezone.now())
    return AutomationRun.objects.create(automation=automation, owner_id=automation.owner_id, **columns)


# --- Webhooks ---------------------------------------------------------------------------------------------------------


def make_endpoint(user: User | None = None, *, secret: str = "", **fields: Any) -> WebhookEndpoint:
    """An endpoint for all events; `fields` are columns of it or of its health."""
    names = {field.name for field in WebhookEndpointHealth._meta.get_fields()} - {"id", "created_at"}
    health = {name: fields.pop(name) for name in names & set(fields)}
    columns = {"url": "https://receiver.test/hook", "events": ["*"], "secret": encrypt(secret or new_secret())}
    endpoint = WebhookEndpoint.objects.create(owner=user or make_user(), **{**columns, **fields})
    WebhookEndpointHealth.objects.create(endpoint=endpoint, **health)
    return endpoint


def make_delivery(
    endpoint: WebhookEndpoint | None = None, *, status: str = "pending", **fields: Any
) -> WebhookDelivery:
    """A delivery of a ping, without a job."""
    columns: dict[str, Any] = {"type": "ping", "resource": "whk_test", "sequence": next(_numbers), "body": "{}"}
    if status != "pending":
        columns["finished_at"] = timezone.now()
    return WebhookDelivery.objects.create(endpoint=endpoint or make_endpoint(), status=status, **{**columns, **fields})
