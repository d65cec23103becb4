"""What requests for a path ask of the machinery of views, for those who answer them without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rest_framework.settings import api_settings

from core.api.prepared import PreparedList
from core.api.views import ApiView, ApiViewSet, BodyCheck

# A view that does one of these in its own way cannot be answered for.
_STEPS = (
    "dispatch",
    "initialize_request",
    "initial",
    "get_authenticators",
    "get_permissions",
    "get_renderers",
    "get_format_suffix",
    "perform_content_negotiation",
    "perform_authentication",
    "determine_version",
    "check_throttles",
    "check_permissions",
    "check_features",
    "units_of",
    "look_up",
    "handle_exception",
    "finalize_response",
    "default_response_headers",
)


@dataclass(frozen=True, slots=True)
class Read:
    """A path and its GET. scope: empty where there is no GET; families: of the rows that a kept answer shows.

    parameters: those of the query that belong to features; feature: whether the path does; allow: the header.
    prepared: the list that it answers, where its SQL is written.
    """

    route_name: str
    scope: str
    families: tuple[str, ...]
    operation: str
    parameters: frozenset[str]
    feature: str
    allow: str
    prepared: PreparedList | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A path and its POST, where a body may be wrong by itself. check: what says so; the rest as for a read."""

    scope: str
    operation: str
    feature: str
    allow: str
    check: BodyCheck


def read_of(callback: Any) -> Read | None:
    """Return what a GET asks of a view, None where the view goes its own way. callback: what the route leads to."""
    view = _usual_view(callback)
    if view is None:
        return None
    action = (getattr(callback, "actions", None) or {}).get("get", "get")
    named = callback.initkwargs
    instance = _instance(callback)
    return Read(
        route_name=named["route_name"],
        scope=view.scopes.get(action, "") if hasattr(instance, "get") else "",
        families=tuple(view.cache_tags.get(action, ())),
        operation=view.operations.get(action, ""),
        parameters=frozenset(view.feature_parameters.get(action, {})),
        feature=named.get("feature", ""),
        allow=", ".join(instance.allowed_methods),
        prepared=getattr(view, "prepared_lists", {}).get(action),
    )


def write_of(callback: Any) -> Write | None:
    """Return what a POST asks of a view, None where the view goes its own way, or a body cannot be wrong by itself."""
    view = _usual_view(callback)
    action = (getattr(callback, "actions", None) or {}).get("post", "post")
    if view is None or action not in view.body_checks or getattr(view, "key_is_required", False):
        return None
    if list(view.parser_classes) != list(api_settings.DEFAULT_PARSER_CLASSES):
        return None
    return Write(
        scope=view.scopes.get(action, ""),
        operation=view.operations.get(action, ""),
        feature=callback.initkwargs.get("feature", ""),
        allow=", ".join(_instance(callback).allowed_methods),
        check=view.body_checks[action],
    )


def _usual_view(callback: Any) -> Any:
    view: Any = getattr(callback, "cls", None)
    return view if view is not None and issubclass(view, ApiView) and is_usual(view) else None


def _instance(callback: Any) -> Any:
    """Return a view with its methods bound as Django does when it calls one, so that `Allow` is the same."""
    instance = callback.cls(**callback.initkwargs)
    for method, handler in (getattr(callback, "actions", None) or {}).items():
        setattr(instance, method, getattr(instance, handler))
    if hasattr(instance, "get"):
        instance.head = instance.get
    return instance


def is_usual(view: Any) -> bool:
    """Return whether a view does everything around its action as all do."""
    base = ApiViewSet if issubclass(view, ApiViewSet) else ApiView
    return (
        list(view.permission_classes) == list(api_settings.DEFAULT_PERMISSION_CLASSES)
        and list(view.authentication_classes[:1]) == list(api_settings.DEFAULT_AUTHENTICATION_CLASSES[:1])
        and list(view.renderer_classes) == list(api_settings.DEFAULT_RENDERER_CLASSES)
        and all(getattr(view, step, None) is getattr(base, step, None) for step in _STEPS)
    )
