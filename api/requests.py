"""Requests, typed as the API's middleware leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    # What is known of a request stands below those that find it out.
    from api.lifecycle import Visit
    from api.ratelimit.buckets import Decision
    from api.response_cache.lookups import CacheLookup
    from api.versioning import ChosenVersion


class ApiRequest(HttpRequest):
    """An HTTP request with what is found out about it once; a type only, as Django makes the requests.

    request_id: of the answer and the logs. api_version: that answers; api_choice: how it was chosen, absent outside of
    `/api/`; api_visit: what is marked as deprecated there. authentication_outcomes: by authentication class.
    rate_limit_decision: what was charged. cache_lookup: of a cacheable request.
    """

    request_id: str
    api_version: int
    api_choice: ChosenVersion
    api_visit: Visit | None
    auth: Any
    authentication_outcomes: dict[type, Any]
    rate_limit_decision: Decision | None
    cache_lookup: CacheLookup
