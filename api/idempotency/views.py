"""View mixin and decorator for idempotent actions.

    class ProjectViewSet(IdempotentMixin, ApiViewSet):
        @idempotent
        def create(self, request):
            body = self.validated(ProjectCreateSerializer)
            return self.once(lambda: self._created(create_project(owner=request.user, **body)))

Slow steps and those that may answer 422 stand before `once`, writes inside it. A service that prepares and writes
in one call takes a callback for its transaction: see `respond_with`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar, cast

import orjson
from django.db import DatabaseError, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency.exceptions import IdempotencyKeyRequired
from api.idempotency.requests import keyed_request
from api.idempotency.services import IdempotencyClaim, StoredResponse, claim_key, complete_key, release_key
from api.views import ApiView
from core.database import busy_timeout
from core.exceptions import DomainError

STORED_HEADERS = ("Content-Type", "Location", "ETag")
MAX_BODY_BYTES = 64 * 1024
# Errors that are stored like a success: they depend on the state of the account, not on the request.
STORED_REFUSALS = frozenset({"insufficient_credits", "invalid_state"})
REPLAYED = "Idempotent-Replayed"
# Short, as a request that failed on a lock has already waited for it.
RELEASE_BUSY_TIMEOUT_S = 0.5

logger = logging.getLogger(__name__)
Row = TypeVar("Row")
Action = TypeVar("Action", bound=Callable[..., Response])


class IdempotentMixin(ApiView):
    """A view with `@idempotent` actions, which honour `Idempotency-Key`.

    key_is_required: whether a request without a key is refused.
    """

    key_is_required: ClassVar[bool] = False
    _claim: IdempotencyClaim | None = None
    _is_completed = False

    def once(self, work: Callable[[], Response]) -> Response:
        """Run `work` and return its response; with a key, store the response in the transaction of the work."""
        if self._claim is None:
            return self._complete(work())
        with transaction.atomic():
            return self._complete(work())

    def respond_with(self, serialize: Callable[[Row], Response]) -> ResponseCallback[Row]:
        """Return a callback that a service calls with its new row, in its transaction; it sets `response`."""
        return ResponseCallback(self, serialize)

    def _complete(self, response: Response) -> Response:
        self._is_completed = True
        if self._claim is not None:
            response.accepted_renderer = self.request.accepted_renderer
            response.accepted_media_type = self.request.accepted_media_type or ""
            response.renderer_context = self.get_renderer_context()  # type: ignore[attr-defined]
            complete_key(claim=self._claim, response=_stored(response.render()))
        return response

    def _refuse(self, refusal: DomainError) -> Response:
        """Store an error; the work was already rolled back."""
        response = self.handle_exception(refusal)
        with transaction.atomic():
            return self._complete(response)

    def _release(self, claim: IdempotencyClaim) -> None:
        try:
            with busy_timeout(RELEASE_BUSY_TIMEOUT_S):
                release_key(claim=claim)
        except DatabaseError:
            # The request reports its own error, and the lock expires anyway.
            logger.warning("an idempotency key stays locked until its lock expires", exc_info=True)


class ResponseCallback(Generic[Row]):
    """Serializes a row in the transaction that creates it."""

    response: Response

    def __init__(self, view: IdempotentMixin, serialize: Callable[[Row], Response]) -> None:
        self._view = view
        self._serialize = serialize

    def __call__(self, row: Row) -> None:
        """Build the response, and store it if the request has a key."""
        self.response = self._view._complete(self._serialize(row))  # noqa: SLF001 - part of the mixin


def idempotent(action: Action) -> Action:
    """Run an action once per key. Its successful responses must come from `once` or `respond_with`.

    Credential, rate and scope are checked before, so a replay shows nothing that the caller may not see.
    """

    @functools.wraps(action)
    def wrapper(view: IdempotentMixin, request: Request, *args: Any, **kwargs: Any) -> Response:
        use = keyed_request(request)
        if use is None and view.key_is_required:
            raise IdempotencyKeyRequired
        claim = None if use is None else claim_key(use=use)
        if isinstance(claim, StoredResponse):
            return _replayed(claim)
        view._claim = claim  # noqa: SLF001 - part of the mixin
        is_over = claim is None
        try:
            response = action(view, request, *args, **kwargs)
            is_over = True
        except DomainError as refusal:
            if claim is None or refusal.code not in STORED_REFUSALS:
                raise
            response = view._refuse(refusal)  # noqa: SLF001
            is_over = True
        finally:
            if not is_over and claim is not None:
                view._release(claim)  # noqa: SLF001
        if not view._is_completed:  # noqa: SLF001
            raise RuntimeError(f"{action.__qualname__} answered outside of `once`")
        return response

    wrapper.is_idempotent = True  # type: ignore[attr-defined]  # for the OpenAPI document
    return cast("Action", wrapper)


def _stored(response: Response) -> StoredResponse:
    headers = {name: response[name] for name in STORED_HEADERS if name in response}
    body = response.content
    if len(body) <= MAX_BODY_BYTES and "no-store" not in response.get("Cache-Control", ""):
        return StoredResponse(response.status_code, body, headers)
    # Too long to store, or with a secret that only the first response may show.
    reference: dict[str, Any] = {name: response.data[name] for name in ("id", "object") if name in response.data}
    if "Location" in headers:
        reference["location"] = headers["Location"]
    return StoredResponse(response.status_code, orjson.dumps(reference), headers, is_reference=True)


def _replayed(answer: StoredResponse) -> Response:
    response = Response(status=answer.status, headers={**answer.headers, REPLAYED: "true"})
    # The stored bytes; DRF does not render a response that has content.
    response.content = answer.body
    return response
