"""API version selection.

Precedence: URL path, `API-Version` header, `Accept: application/vnd.renderowl.v2+json`, `?api_version=2`, the version
pinned to the API key, the default. Two explicit sources that disagree are an error, so that a wrong guess never goes
unnoticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest

from api.authentication import authenticate
from api.lifecycle import supported_versions
from core.database import DatabaseBusy, transient_error
from core.exceptions import DomainError, InvalidRequest

_PATH = re.compile(r"^/api/v(\d{1,4})(?=/|$)")
_ACCEPT = re.compile(r"application/vnd\.renderowl\.v(\d{1,4})\+json")
_MAX_UNPARSED_LENGTH = 200
_NUMBER = re.compile(r"^v?(\d{1,4})$")


class VersionConflict(InvalidRequest):
    """Two parts of the request ask for different API versions."""

    code = "version_conflict"


class UnsupportedVersion(DomainError):
    """There is no such API version."""

    code = "unsupported_version"


VERSION_HEADERS = ("API-Version", "Accept")
CREDENTIAL_HEADERS = ("Authorization", "X-API-Key")


@dataclass(frozen=True, slots=True)
class ChosenVersion:
    """The selected version. varies_on: the headers that select it."""

    number: int
    varies_on: tuple[str, ...]
    in_path: bool


def choose_version(request: HttpRequest) -> ChosenVersion:
    """Return the version that a request under `/api/` asks for.

    Raises VersionConflict, or UnsupportedVersion with status 404 (path), 406 (Accept) or 400.
    """
    requested: list[tuple[str, int]] = []
    if match := _PATH.match(request.path_info):
        requested.append(("path", int(match[1])))
    # From META, as `request.headers` first copies all headers; this runs on every request.
    header = request.META.get("HTTP_API_VERSION")
    if header is not None:
        requested.append(("header", _number(header)))
    if match := _ACCEPT.search(request.META.get("HTTP_ACCEPT", "")):
        requested.append(("accept", int(match[1])))
    parameter = _parameter(request)
    if parameter is not None:
        requested.append(("parameter", _number(parameter)))
    for source, number in requested:
        _refuse_unknown(source, number)
    if len({number for _, number in requested}) > 1:
        raise VersionConflict
    if not requested:
        number = _pinned_version(request) or settings.RENDEROWL_DEFAULT_API_VERSION
        return ChosenVersion(number, varies_on=VERSION_HEADERS + CREDENTIAL_HEADERS, in_path=False)
    sources = {source for source, _ in requested}
    by_header = bool(sources & {"header", "accept"})
    return ChosenVersion(requested[0][1], varies_on=VERSION_HEADERS if by_header else (), in_path="path" in sources)


def _parameter(request: HttpRequest) -> str | None:
    text = request.META.get("QUERY_STRING", "")
    if len(text) < _MAX_UNPARSED_LENGTH and "%" not in text and "api_version" not in text:
        # Without escapes, the text shows that the parameter is absent; this saves parsing it.
        return None
    return request.GET.get("api_version")


def _pinned_version(request: HttpRequest) -> int | None:
    """Return the version pinned to the API key, None if it has none or one that is not served."""
    try:
        authenticated = authenticate(request)
    except OperationalError as error:
        raise transient_error(error) or DatabaseBusy() from error
    pinned: int | None = getattr(authenticated.auth, "pinned_version", None) if authenticated else None
    return pinned if pinned in settings.RENDEROWL_API_VERSIONS else None


def _number(text: str) -> int:
    match = _NUMBER.match(text.strip())
    return int(match[1]) if match else -1


def _refuse_unknown(source: str, number: int) -> None:
    if number in settings.RENDEROWL_API_VERSIONS:
        return
    error = UnsupportedVersion(supported=supported_versions())
    if source == "path":
        error.code, error.status = "not_found", 404
    elif source == "accept":
        error.code, error.status = "not_acceptable", 406
    raise error
