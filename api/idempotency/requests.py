"""Idempotency-Key header of a request, and the fingerprint of its contents."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from rest_framework.request import Request

from api.idempotency.services import KeyedRequest
from core.exceptions import InvalidHeader, Unprocessable

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
# A string of a structured field. Source: RFC 9651, section 3.3.3.
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
# Servers join repeated headers with a comma, so a bare key with a comma might be two keys.
_BARE = re.compile(r"[\x20\x21\x23-\x2b\x2d-\x7e]+")
_VERSION = re.compile(r"^/?api/v\d+/")


def keyed_request(request: Request) -> KeyedRequest | None:
    """Return the key and fingerprint of a request, None without a key. Reads the body; raises InvalidHeader."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    key = parse_key(text)
    match, user_id = request.resolver_match, request.user.pk
    assert match is not None
    assert user_id is not None
    return KeyedRequest(
        user_id=user_id,
        method=request.method or "",
        route=_VERSION.sub("", match.route),
        key=key,
        fingerprint=fingerprint(request),
    )


def parse_key(text: str) -> str:
    """Parse one key, quoted or bare, of 1 to 255 printable ASCII characters, or raise InvalidHeader."""
    text = text.strip(" \t")
    if quoted := _QUOTED.fullmatch(text):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    elif _BARE.fullmatch(text):
        key = text
    else:
        raise InvalidHeader(HEADER, f"{HEADER} must be given once, as one string of printable ASCII characters.")
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidHeader(HEADER, f"{HEADER} must have 1 to {MAX_KEY_LENGTH} characters.")
    return key


def fingerprint(request: Request) -> str:
    """Return the hex SHA-256 of method, path, query, content type, API version and body.

    The version counts alike wherever the request names it. Parameters of the content type are left out, as clients
    choose another form boundary on every retry.
    """
    query = sorted((name, value) for name, values in request.query_params.lists() for value in values)
    media_type = (request.content_type or "").partition(";")[0].strip().lower()
    path = _VERSION.sub("", request.path_info)
    described = [request.method, path, query, media_type, request.version, _body_digest(request.data)]
    return hashlib.sha256(orjson.dumps(described)).hexdigest()


def _body_digest(data: Any) -> str:
    canonical = _form_members(data) if isinstance(data, QueryDict) else data
    try:
        encoded = orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        # Parsed JSON can always be serialized, unless it is too deep.
        detail = "The body is nested too deeply."
        raise Unprocessable([{"pointer": "", "code": "nested_too_deeply", "detail": detail}], detail) from error
    return hashlib.sha256(encoded).hexdigest()


def _form_members(form: QueryDict) -> list[Any]:
    """Return a form's fields and files by name; a file as its name, type and digest."""
    return [
        [name, [_file_digest(value) if isinstance(value, UploadedFile) else value for value in values]]
        for name, values in sorted(form.lists())
    ]


def _file_digest(file: UploadedFile[Any]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for piece in file.chunks():
        digest.update(piece)
    file.seek(0)
    return {"name": file.name, "type": file.content_type, "sha256": digest.hexdigest()}
