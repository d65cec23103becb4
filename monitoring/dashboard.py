"""Dashboard of the admin index: cards with counts, and the latest renders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import Count, Min, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from automations.models import Automation, AutomationRun, AutomationRunStatus
from core.database import effective_pragmas
from jobs.models import Job, Worker
from jobs.states import JobStatus
from monitoring.alerting.evaluation import count_firing
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import DeliveryStatus
from renders.models import Render
from renders.states import RUNNING, TERMINAL, WAITING, RenderStatus

RECENT = 10


def add_cards(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the cards and the latest renders that the user has permission to view."""
    cards: list[dict[str, Any]] = []
    if request.user.has_perm("renders.view_render"):
        cards += _render_cards()
        context["recent_renders"] = _recent_renders()
    if request.user.has_perm("jobs.view_job"):
        cards += _queue_cards()
        context["database"] = _database_table()
    if request.user.has_perm("monitoring.view_alert"):
        cards.append(_alert_card())
    if request.user.has_perm("notifications.view_webhookdelivery"):
        cards.append(_delivery_card())
    if request.user.has_perm("automations.view_automationrun"):
        cards.append(_run_card())
    context["cards"] = cards
    return context


def _render_cards() -> list[dict[str, Any]]:
    active = Render.objects.active().aggregate(
        waiting=Count("pk", filter=Q(status__in=WAITING)), running=Count("pk", filter=Q(status__in=RUNNING))
    )
    ended = Render.objects.filter(status__in=TERMINAL, created_at__gte=_yesterday()).aggregate(
        succeeded=Count("pk", filter=Q(status=RenderStatus.SUCCEEDED)),
        failed=Count("pk", filter=Q(status=RenderStatus.FAILED)),
    )
    link = reverse("admin:renders_render_changelist")
    return [
        _card("Waiting renders", active["waiting"], f"{link}?status__exact=queued"),
        _card("Rendering now", active["running"], f"{link}?status__exact=rendering"),
        _card("Succeeded, last 24 h", ended["succeeded"], f"{link}?status__exact=succeeded"),
        _card("Failed, last 24 h", ended["failed"], f"{link}?status__exact=failed", is_alarming=ended["failed"] > 0),
    ]


def _queue_cards() -> list[dict[str, Any]]:
    ready = Job.objects.filter(status=JobStatus.QUEUED).aggregate(count=Count("pk"), oldest=Min("scheduled_at"))
    dead = Job.objects.dead().count()
    alive_since = timezone.now() - timedelta(seconds=3 * Worker.HEARTBEAT_S)
    alive = Worker.objects.filter(stopped_at__isnull=True, last_seen_at__gt=alive_since).count()
    age = f"oldest {_age_s(ready['oldest'])} s" if ready["oldest"] else "none waiting"
    link = reverse("admin:jobs_job_changelist")
    return [
        _card("Ready jobs", ready["count"], f"{link}?status__exact=queued", note=age),
        _card("Dead letters", dead, f"{link}?status__exact=dead", is_alarming=dead > 0),
        _card("Workers alive", alive, reverse("admin:jobs_worker_changelist"), is_alarming=alive == 0),
    ]


def _alert_card() -> dict[str, Any]:
    firing = count_firing()
    link = reverse("admin:monitoring_alert_changelist")
    return _card("Alerts firing", firing, f"{link}?state__exact=firing", is_alarming=firing > 0)


def _delivery_card() -> dict[str, Any]:
    failed = WebhookDelivery.objects.filter(created_at__gte=_yesterday(), status=DeliveryStatus.FAILED).count()
    disabled = WebhookEndpoint.objects.filter(disabled_at__isnull=False, deleted_at__isnull=True).count()
    note = f"{disabled} endpoints disabled" if disabled else ""
    link = f"{reverse('admin:notifications_webhookdelivery_changelist')}?status__exact=failed"
    return _card("Failed deliveries, last 24 h", failed, link, note=note, is_alarming=failed > 0)


def _run_card() -> dict[str, Any]:
    failed = AutomationRun.objects.filter(created_at__gte=_yesterday(), status=AutomationRunStatus.FAILED).count()
    paused = Automation.objects.exclude(paused_reason="").count()
    note = f"{paused} automations paused after failures" if paused else ""
    link = f"{reverse('admin:automations_automationrun_changelist')}?status__exact=failed"
    return _card("Failed automation runs, last 24 h", failed, link, note=note, is_alarming=failed > 0)


def _yesterday() -> datetime:
    return timezone.now() - timedelta(days=1)


def _age_s(moment: datetime) -> int:
    return max(0, round((timezone.now() - moment).total_seconds()))


def _card(title: str, value: int, link: str, *, note: str = "", is_alarming: bool = False) -> dict[str, Any]:
    return {"title": title, "value": value, "link": link, "note": note, "is_alarming": is_alarming}


def _database_table() -> dict[str, Any]:
    """Return a table of the effective SQLite settings, without rows on other databases."""
    values = effective_pragmas(connections["default"])
    return {"headers": ["Database setting", "Value"], "rows": [[name, value] for name, value in values.items()]}


def _render_link(render: Render) -> str:
    return reverse("admin:renders_render_change", args=[render.pk])


def _recent_renders() -> dict[str, Any]:
    rows = Render.objects.without_large_columns().select_related("owner").order_by("-created_at", "-pk")[:RECENT]
    return {
        "headers": ["Render", "Owner", "Status", "Progress", "Created"],
        "rows": [
            [
                format_html('<a href="{}">{}</a>', _render_link(render), render.public_id),
                render.owner.get_username(),
                render.get_status_display(),
                f"{render.percent:.0f} %",
                render.created_at.strftime("%Y-%m-%d %H:%M:%S"),
            ]
            for render in rows
        ],
    }
