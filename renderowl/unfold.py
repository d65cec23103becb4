"""Settings of the admin theme: title, sidebar, colours, dashboard."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, model: str, *, page: str = "") -> dict[str, Any]:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{page or f'{app}_{name}_changelist'}"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


def _group(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Renderowl",
    "SITE_HEADER": "Renderowl",
    "SITE_SUBHEADER": "Operations",
    "SITE_SYMBOL": "movie",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("api/icon.svg")}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "LOGIN": {"form": "accounts.staff_login.StaffLoginForm"},
    "ACCOUNT": {"navigation": [{"title": "Second factor", "link": reverse_lazy("second-factor")}]},
    "DASHBOARD_CALLBACK": "monitoring.dashboard.add_cards",
    "COLORS": {
        "primary": {
            "50": "238 242 255",
            "100": "224 231 255",
            "200": "199 210 254",
            "300": "165 180 252",
            "400": "129 140 248",
            "500": "99 102 241",
            "600": "79 70 229",
            "700": "67 56 202",
            "800": "55 48 163",
            "900": "49 46 129",
            "950": "30 27 75",
        }
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": [
            _group(
                "Product",
                _item("Renders", "movie", "renders.render"),
                _item("Batches", "dynamic_feed", "renders.batch"),
                _item("Projects", "folder", "renders.project"),
                _item("Templates", "dashboard_customize", "renders.template"),
                _item("Assets", "perm_media", "assets.asset"),
            ),
            _group(
                "Automations",
                _item("Automations", "bolt", "automations.automation"),
                _item("Runs", "history", "automations.automationrun"),
            ),
            _group(
                "Notifications",
                _item("Inboxes", "notifications", "notifications.notification"),
                _item("Outgoing emails", "mail", "notifications.outgoingemail"),
                _item("Broadcasts", "campaign", "notifications.broadcast"),
                _item("Preferences", "tune", "notifications.notificationpreference"),
            ),
            _group(
                "Webhooks",
                _item("Endpoints", "webhook", "notifications.webhookendpoint"),
                _item("Deliveries", "send", "notifications.webhookdelivery"),
                _item("Attempts", "history", "notifications.deliveryattempt"),
                _item("Health", "monitor_heart", "notifications.webhookendpointhealth"),
            ),
            _group(
                "Queue",
                _item("Jobs", "list_alt", "jobs.job"),
                _item("Queues", "pause_circle", "jobs.queuestate"),
                _item("Limits of keys", "speed", "jobs.keylimit"),
                _item("Workers", "memory", "jobs.worker"),
                _item("External leases", "lan", "renders.externallease"),
                _item("Worker messages", "mark_email_read", "renders.workermessage"),
                _item("Schedules", "schedule", "jobs.schedule"),
            ),
            _group(
                "Analytics",
                {
                    "title": "Charts",
                    "icon": "monitoring",
                    "link": reverse_lazy("analytics-charts"),
                    "permission": lambda request: request.user.has_perm("analytics.view_dailystat"),
                },
                _item("Daily stats", "calendar_month", "analytics.dailystat"),
                _item("Hourly stats", "schedule", "analytics.hourlystat"),
                _item("Rollups", "compress", "analytics.statrollup"),
                _item("Events", "history", "analytics.analyticsevent"),
                _item("Retention watermarks", "auto_delete", "analytics.retentionwatermark"),
            ),
            _group(
                "Monitoring",
                _item("Performance", "monitoring", "monitoring.routemetric", page="monitoring_performance"),
                _item("Alerts", "notifications_active", "monitoring.alert"),
                _item("Alert rules", "rule", "monitoring.alertrule"),
                _item("Silences", "notifications_off", "monitoring.silence"),
                _item("Alert messages", "outgoing_mail", "monitoring.alertmessage"),
                _item("Alert notifications", "mail", "monitoring.alertnotification"),
                _item("Health samples", "health_and_safety", "monitoring.healthsample"),
                _item("Alert evaluator", "timer", "monitoring.evaluatorlease"),
                _item("Errors", "bug_report", "monitoring.errorlog"),
                _item("Slow requests", "hourglass_bottom", "monitoring.slowrequest"),
                _item("Routes by minute", "speed", "monitoring.routemetric"),
                _item("Statements", "database", "monitoring.statementmetric"),
                _item("Server processes", "dns", "monitoring.serverprocess"),
                _item("Queue samples", "stacked_line_chart", "monitoring.queuemetric"),
                _item("Cache samples", "cached", "monitoring.cachemetric"),
                _item("Migrations", "schema", "maintenance.migrationchecksum"),
            ),
            _group(
                "Accounts",
                _item("Users", "person", "accounts.user"),
                _item("API keys", "key", "accounts.apikey"),
                _item("Second factors", "phonelink_lock", "accounts.secondfactor"),
                _item("Audit", "policy", "accounts.auditentry"),
                _item("Idempotency keys", "repeat_one", "api.idempotencykey"),
                _item("Deprecated calls", "event_busy", "accounts.deprecatedcall"),
                _item("Deprecation notices", "outgoing_mail", "accounts.deprecationnotice"),
            ),
            _group(
                "Credits",
                _item("Balances", "account_balance_wallet", "credits.creditaccount"),
                _item("Ledger", "receipt_long", "credits.creditentry"),
            ),
        ],
    },
}
