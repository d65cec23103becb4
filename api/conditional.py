"""Conditional requests on single resources: 304 for what the client has, 412 for what has changed since it looked.

A viewset of a `VersionedModel` has strong entity tags without doing anything: `retrieve` answers them, and
If-None-Match is honoured before the body is made. To change a row:

    class TemplateViewSet(ApiViewSet):
        requires_if_match = True       # several people work on it: 428 without If-Match; leave it out otherwise

        def partial_update(self, request, **kwargs):
            template = self.get_object()                   # 404, then 428, then 412
            body = self.validated(TemplateChangeSerializer)       # 422
            with self.unchanged(template):                 # a transaction; 412 if somebody was quicker
                changed = change_template(template=template, changes=body)
            return Response(TemplateSerializer(changed).data)

Every PUT, PATCH and DELETE of a row writes inside `unchanged`. A service that does slow things before or after its
transaction takes `version_check(row)` instead, and calls it first in the transaction. An action that forgets both is
refused with a RuntimeError as soon as somebody sends If-Match, and by a test of the architecture.

What shows in a body besides the row's columns goes into `entity_tag`: override it, see `RenderViewSet`.
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

SAFE = frozenset({"GET", "HEAD"})
GUARDED = frozenset({"PUT", "PATCH", "DELETE"})


class NotModified(Exception):
    """The client has the current representation."""


class PreconditionRequired(DomainError):
    """Send the ETag of what you have read in If-Match."""

    code = "precondition_required"
    status = 428


def row_tag(request: Request, row: VersionedModel, *shown: object, weak: bool = False) -> EntityTag:
    """Return the tag of a row as the request gets to see it.

    shown: what else shows in the body; weak: where bodies under one tag may differ in details.
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
        """Return the tag of a row's representation: what `GET` of its address would answer now."""
        return row_tag(self.request, row)

    def check_conditions(self, row: Any) -> None:
        """Compare what the request says of the row with what it is; `get_object` calls this.

        Raises NotModified, PreconditionRequired or PreconditionFailed.
        """
        method = self.request.method or ""
        endpoint = endpoint_of(self, method)
        is_read = method in SAFE and endpoint is not None and endpoint.row_etag
        if_match = self.request.headers.get("If-Match")
        if not isinstance(row, VersionedModel):
            self._check_untagged(method, if_match)
            return
        if not (is_read or method in GUARDED):
            return
        if_none_match = self.request.headers.get("If-None-Match")
        if if_match is None and self.requires_if_match and method in GUARDED:
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
        """Judge a condition on a row that has no tags: all that can hold of it is that it exists."""
        if method in GUARDED and if_match is not None:
            if if_match.strip() != "*":
                raise PreconditionFailed
            self._is_guarded = True

    @contextmanager
    def unchanged(self, row: VersionedModel) -> Iterator[None]:
        """Open the transaction of a change, in which the row is still what If-Match named.

        Raises PreconditionFailed where somebody else was quicker; nothing is changed then.
        """
        self._is_guarded = True
        with transaction.atomic():
            if "If-Match" in self.request.headers:
                claim_version(row)
                is_known = True
            else:
                is_known = self.request.method == "PATCH" and lock_if_unchanged(row)
            yield
            if is_known and self.request.method == "PATCH":
                # Of a row that somebody else may have changed in between, nothing is claimed to be known.
                refresh_version(row)
                self._changed = row

    def version_check(self, row: VersionedModel) -> Callable[[], None]:
        """Return what a service calls first in its transaction; it raises PreconditionFailed as `unchanged` does."""
        self._is_guarded = True
        return partial(claim_version, row) if "If-Match" in self.request.headers else _nothing

    def note_changed(self, row: VersionedModel) -> None:
        """Have the answer carry the row's tag; `row_version` must be what the transaction of the change left."""
        self._changed = row

    def tag_headers(self, row: VersionedModel) -> dict[str, str]:
        """Return the ETag header of a new row; `row_version` must be what the transaction that made it left."""
        return {"ETag": str(self.entity_tag(row))}

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 304 where the client has the representation."""
        if isinstance(exc, NotModified):
            return Response(status=status.HTTP_304_NOT_MODIFIED)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add the tag of what was read or changed."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self._tag is not None and response.status_code in {status.HTTP_200_OK, status.HTTP_304_NOT_MODIFIED}:
            response.headers.setdefault("ETag", str(self._tag))
        if self._changed is not None and request.method == "PATCH" and response.status_code == status.HTTP_200_OK:
            # Not for PUT: there a tag would say that what the client sent was kept as it is (RFC 9110, 9.3.4).
            response["ETag"] = str(self.entity_tag(self._changed))
        if request.method in GUARDED and "If-Match" in request.headers and response.status_code < 300:
            self._require_guard()
        return response

    def _require_guard(self) -> None:
        if not self._is_guarded and hasattr(self, "get_object"):
            raise RuntimeError(f"{type(self).__name__}.{self.action} wrote outside of `unchanged`")  # type: ignore[attr-defined]


def _nothing() -> None:
    """Do what the transaction of a change begins with where the client set no condition."""
