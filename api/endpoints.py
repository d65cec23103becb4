"""Endpoint declarations: the scope, cache tags, rate limit class and features of each action of a view.

    class ProjectViewSet(ApiViewSet):
        endpoints = {"list": Endpoint("renders:read", cache_tags=("projects",)), "create": Endpoint("renders:write")}

An undeclared action is closed to every credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ANY_SCOPE = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One action of a viewset, or one method of a plain view.

    scope: required of the credential; ANY_SCOPE for any credential.
    cache_tags: of the caller's rows in the response, which may be cached until one changes (`api.response_cache`).
    row_etag: the response to GET shows only the row of `get_object` and what `entity_tag` adds.
    operation: class of operation, if it has its own rate limits.
    feature_parameters: query parameter -> the feature that it belongs to.
    """

    scope: str
    cache_tags: tuple[str, ...] = ()
    row_etag: bool = False
    operation: str = ""
    feature_parameters: Mapping[str, str] = field(default_factory=dict)


def endpoint_of(view: object, method: str) -> Endpoint | None:
    """Return the declaration for a method of a view or of a route's callback; None if there is none."""
    name = "get" if method.upper() == "HEAD" else method.lower()
    # A running view has `action`, a viewset's callback `actions`; the actions of a plain view are its methods.
    action = getattr(view, "action", None) or (getattr(view, "actions", None) or {}).get(name, name)
    endpoints: Mapping[str, Endpoint] = getattr(getattr(view, "cls", view), "endpoints", {})
    return endpoints.get(action)
