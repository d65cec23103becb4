"""The look of the admin: names, sidebar, colours, the cards of its first page."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        # Staff without the right to see a screen do not see its door either.
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


def _group(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Renderowl",
    "SITE_HEADER": "Renderowl",
    "SITE_SUBHEADER": "Operations",
    "SITE_SYMBOL": "movie",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("core/icon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "LOGIN": {"form": "accounts.staff_login.StaffLoginForm"},
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
                _item("Projects", "folder", "renders.project"),
                _item("Templates", "dashboard_customize", "renders.template"),
                _item("Assets", "perm_media", "assets.asset"),
            ),
            _group(
                "Queue",
                _item("Jobs", "list_alt", "jobs.job"),
                _item("Queues", "pause_circle", "jobs.queuestate"),
                _item("Workers", "memory", "jobs.worker"),
                _item("Schedules", "schedule", "jobs.schedule"),
            ),
            _group(
                "Accounts",
                _item("Users", "person", "accounts.user"),
                _item("API keys", "key", "accounts.apikey"),
                _item("Audit", "policy", "accounts.auditentry"),
                _item("Idempotency keys", "repeat_one", "core.idempotencykey"),
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
