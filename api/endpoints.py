"""What one action of a view is to the rest of the API, in one declaration.

    class ProjectViewSet(ApiViewSet):
        endpoints = {"list": Endpoint("renders:read", cache_tags=("projects",)), "create": Endpoint("renders:write")}

An action that is not declared is closed to every credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ANY_SCOPE = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One action of a view, or one method of a plain one.

    scope: what the credential must carry; ANY_SCOPE for any credential.
    cache_tags: of the caller's rows that the answer shows; it may be cached until one of them changes, see
    `api.response_cache.middleware`.
    row_etag: the answer to GET is made of the one row that `get_object` returns, and of what `entity_tag` adds.
    operation: class of operation, where it has rate limits of its own.
    feature_parameters: query parameter -> the feature that it belongs to.
    """

    scope: str
    cache_tags: tuple[str, ...] = ()
    row_etag: bool = False
    operation: str = ""
    feature_parameters: Mapping[str, str] = field(default_factory=dict)


def endpoint_of(view: object, method: str) -> Endpoint | None:
    """Return the declaration of what a view, or what a route leads to, does for a method; None where there is none."""
    name = "get" if method.upper() == "HEAD" else method.lower()
    # A view in use knows its action, a route the actions of its methods, and a plain view's are its methods.
    action = getattr(view, "action", None) or (getattr(view, "actions", None) or {}).get(name, name)
    endpoints: Mapping[str, Endpoint] = getattr(getattr(view, "cls", view), "endpoints", {})
    return endpoints.get(action)
