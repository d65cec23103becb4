"""Downloads of stored files by signed link."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from api.problems import problem_response
from core.exceptions import DomainError
from files.links import FileLink, content_disposition, verify_token
from files.ranges import ByteRange, RangeNotSatisfiable, matches_any, parse_range, range_applies
from files.storage.blobs import blob_store

MAX_CACHING_S = 86_400


@csrf_exempt
def send_file(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """Send the file of a signed link, whole or as a range; the link is the only credential."""
    if request.method not in {"GET", "HEAD"}:
        response = problem_response("method_not_allowed")
        response["Allow"] = "GET, HEAD"
        return response
    try:
        link = verify_token(token, name)
    except DomainError as error:
        return problem_response(error.code, error.detail, error.status)
    try:
        return _answer(request, link)
    except FileNotFoundError:
        return problem_response("not_found", "The file no longer exists.")


def _answer(request: HttpRequest, link: FileLink) -> HttpResponseBase:
    etag = f'"{link.tag}"' if link.tag else ""
    if matches_any(request.headers.get("If-None-Match"), etag):
        return _with_validators(HttpResponse(status=304), link, etag)
    size = blob_store().size(link.key)
    part = None
    header = request.headers.get("Range")
    if header is not None and request.method == "GET" and range_applies(request.headers.get("If-Range"), etag):
        try:
            part = parse_range(header, size)
        except RangeNotSatisfiable:
            refusal = problem_response("range_not_satisfiable", size_bytes=size)
            refusal["Content-Range"] = f"bytes */{size}"
            return refusal
    response = _body(request, link, size, part)
    response["Accept-Ranges"] = "bytes"
    response["Content-Disposition"] = content_disposition(link.name)
    return _with_validators(response, link, etag)


def _body(request: HttpRequest, link: FileLink, size: int, part: ByteRange | None) -> HttpResponseBase:
    span = part or ByteRange(0, size)
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(content_type=link.content_type)
    else:
        blocks = blob_store().read_range(link.key, span.start, span.length)
        response = StreamingHttpResponse(blocks, content_type=link.content_type)
    if part is not None:
        response.status_code = 206
        response["Content-Range"] = part.content_range(size)
    response["Content-Length"] = str(span.length)
    return response


def _with_validators(response: HttpResponseBase, link: FileLink, etag: str) -> HttpResponseBase:
    left_s = max(0, link.expires - int(time.time()))
    response["Cache-Control"] = f"public, max-age={min(MAX_CACHING_S, left_s)}, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    if etag:
        response["ETag"] = etag
    return response
