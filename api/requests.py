"""Requests, typed as the API's middleware leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    # What is known of a request stands below those that find it out.
    from api.lifecycle import DeprecatedRoute
    from api.ratelimit.buckets import RateLimitDecision
    from api.response_cache.lookup import CacheLookup
    from api.versioning import ChosenVersion


class ApiRequest(HttpRequest):
    """An HTTP request with what is found out about it once; a type only, as Django makes the requests.

    request_id: of the answer and the logs. api_version: that answers; api_choice: how it was chosen, absent outside of
    `/api/`; api_deprecated_route: what is marked as deprecated there. authentication_outcomes: by authentication class.
    rate_limit_decision: what was charged. cache_lookup: of a cacheable request.
    """

    request_id: str
    api_version: int
    api_choice: ChosenVersion
    api_deprecated_route: DeprecatedRoute | None
    auth: Any
    authentication_outcomes: dict[type, Any]
    rate_limit_decision: RateLimitDecision | None
    cache_lookup: CacheLookup
