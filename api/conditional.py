"""Conditional requests on single resources: 304 if the client's copy is current, 412 if the row has changed.

A viewset of a `VersionedModel` has strong entity tags without further code: `retrieve` returns them, and
If-None-Match is evaluated before the body is serialized. To change a row:

    class TemplateViewSet(ApiViewSet):
        requires_if_match = True       # several users edit it: 428 without If-Match; omit it otherwise

        def partial_update(self, request, **kwargs):
            template = self.get_object()                   # 404, then 428, then 412
            body = self.validated(TemplateChangeSerializer)       # 422
            with self.unchanged(template):                 # a transaction; 412 if another request was first
                changed = change_template(template=template, changes=body)
            return Response(TemplateSerializer(changed).data)

Every PUT, PATCH and DELETE of a row writes inside `unchanged`. A service with slow steps before or after its
transaction takes `version_check(row)` instead, and calls it first in the transaction. An action that forgets both
raises RuntimeError on the first request with If-Match, and fails an architecture test.

Override `entity_tag` if a body shows more than the row's columns; see `RenderViewSet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

from django.db import transaction
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.endpoints import endpoint_of
from api.etags import EntityTag, make_tag, matches_strongly, matches_weakly
from core.exceptions import DomainError, PreconditionFailed
from core.models import VersionedModel
from core.row_versions import claim_version, lock_if_unchanged, refresh_version

SAFE_METHODS = frozenset({"GET", "HEAD"})
WRITE_METHODS = frozenset({"PUT", "PATCH", "DELETE"})


class NotModified(Exception):
    """The client's representation is current."""


class PreconditionRequired(DomainError):
    """Send the ETag of the object that you read in If-Match."""

    code = "precondition_required"
    status = 428


def row_tag(request: Request, row: VersionedModel, *shown: object, weak: bool = False) -> EntityTag:
    """Return the entity tag of a row in the request's version and media type.

    shown: other values that the body shows; weak: for bodies that may differ under one tag.
    """
    version, media_type = int(request.version or 0), request.accepted_media_type
    return make_tag(row.pk, row.row_version, version, media_type, shown, weak=weak)


class ConditionalView(APIView):
    """A view whose rows have entity tags.

    requires_if_match: refuse PUT, PATCH and DELETE without If-Match (428).
    """

    requires_if_match: ClassVar[bool] = False

    _tag: EntityTag | None = None
    _changed: VersionedModel | None = None
    _is_guarded = False

    def entity_tag(self, row: VersionedModel) -> EntityTag:
        """Return the tag that a GET of the row would return now."""
        return row_tag(self.request, row)

    def check_conditions(self, row: Any) -> None:
        """Evaluate If-Match and If-None-Match for a row; `get_object` calls this.

        Raises NotModified, PreconditionRequired or PreconditionFailed.
        """
        method = self.request.method or ""
        endpoint = endpoint_of(self, method)
        is_read = method in SAFE_METHODS and endpoint is not None and endpoint.row_etag
        if_match = self.request.headers.get("If-Match")
        if not isinstance(row, VersionedModel):
            self._check_untagged(method, if_match)
            return
        if not (is_read or method in WRITE_METHODS):
            return
        if_none_match = self.request.headers.get("If-None-Match")
        if if_match is None and self.requires_if_match and method in WRITE_METHODS:
            raise PreconditionRequired
        if not is_read and if_match is None and if_none_match is None:
            return
        tag = self.entity_tag(row)
        if if_match is not None and not matches_strongly(if_match, tag):
            raise PreconditionFailed
        self._tag = tag if is_read else None
        if if_none_match is not None and matches_weakly(if_none_match, tag):
            raise NotModified if is_read else PreconditionFailed

    def _check_untagged(self, method: str, if_match: str | None) -> None:
        """Evaluate If-Match for a row without tags: only `*` matches."""
        if method in WRITE_METHODS and if_match is not None:
            if if_match.strip() != "*":
                raise PreconditionFailed
            self._is_guarded = True

    @contextmanager
    def unchanged(self, row: VersionedModel) -> Iterator[None]:
        """Open the transaction of a change; raise PreconditionFailed if the row does not match If-Match any more."""
        self._is_guarded = True
        with transaction.atomic():
            if "If-Match" in self.request.headers:
                claim_version(row)
                is_current = True
            else:
                is_current = self.request.method == "PATCH" and lock_if_unchanged(row)
            yield
            if is_current and self.request.method == "PATCH":
                # A row that another request may have changed in between gets no ETag.
                refresh_version(row)
                self._changed = row

    def version_check(self, row: VersionedModel) -> Callable[[], None]:
        """Return the check that a service calls first in its transaction; it raises as `unchanged` does."""
        self._is_guarded = True
        return partial(claim_version, row) if "If-Match" in self.request.headers else _no_check

    def note_changed(self, row: VersionedModel) -> None:
        """Send the row's ETag with the response; `row_version` must be the one that the transaction left."""
        self._changed = row

    def tag_headers(self, row: VersionedModel) -> dict[str, str]:
        """Return the ETag header of a new row; `row_version` must be the one that the transaction left."""
        return {"ETag": str(self.entity_tag(row))}

    def handle_exception(self, exc: Exception) -> Response:
        """Turn NotModified into a 304."""
        if isinstance(exc, NotModified):
            return Response(status=status.HTTP_304_NOT_MODIFIED)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add the ETag of the row that was read or changed."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self._tag is not None and response.status_code in {status.HTTP_200_OK, status.HTTP_304_NOT_MODIFIED}:
            response.headers.setdefault("ETag", str(self._tag))
        if self._changed is not None and request.method == "PATCH" and response.status_code == status.HTTP_200_OK:
            # Not for PUT: an ETag would say that the body was stored unchanged (RFC 9110, 9.3.4).
            response["ETag"] = str(self.entity_tag(self._changed))
        if request.method in WRITE_METHODS and "If-Match" in request.headers and response.status_code < 300:
            self._require_guard()
        return response

    def _require_guard(self) -> None:
        if not self._is_guarded and hasattr(self, "get_object"):
            raise RuntimeError(f"{type(self).__name__}.{self.action} wrote outside of `unchanged`")  # type: ignore[attr-defined]


def _no_check() -> None:
    """Stand in for the version check of a request without If-Match."""
