"""Type of requests with the attributes that the API's middleware sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    # These modules import this one.
    from api.lifecycle import DeprecatedRoute
    from api.ratelimit.buckets import RateLimitDecision
    from api.response_cache.lookup import CacheLookup
    from api.versioning import ChosenVersion


class ApiRequest(HttpRequest):
    """An HTTP request with attributes of the middleware; only for type checkers, as Django creates the requests.

    request_id: for the response and the logs. api_version: in use; api_choice: how it was chosen, absent outside of
    `/api/`; api_deprecated_route: the deprecation of the path. authentication_outcomes: by authentication class.
    rate_limit_decision: of the charge. cache_lookup: of a cacheable request.
    """

    request_id: str
    api_version: int
    api_choice: ChosenVersion
    api_deprecated_route: DeprecatedRoute | None
    auth: Any
    authentication_outcomes: dict[type, Any]
    rate_limit_decision: RateLimitDecision | None
    cache_lookup: CacheLookup
