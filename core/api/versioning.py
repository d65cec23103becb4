"""Which version of the API a request speaks.

Precedence: URL path, `API-Version` header, `Accept: application/vnd.renderowl.v2+json`, `?api_version=2`, the default.
Two explicit sources that disagree are an error, so that a wrong guess never goes unnoticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from core.exceptions import DomainError, InvalidRequest

_PATH = re.compile(r"^/api/v(\d{1,4})(?=/|$)")
_ACCEPT = re.compile(r"application/vnd\.renderowl\.v(\d{1,4})\+json")
_NUMBER = re.compile(r"^v?(\d{1,4})$")


class VersionConflict(InvalidRequest):
    """Two parts of the request ask for different API versions."""

    code = "version_conflict"


class UnsupportedVersion(DomainError):
    """There is no such API version."""

    code = "unsupported_version"


@dataclass(frozen=True, slots=True)
class ChosenVersion:
    """The outcome. by_header: whether a header chose, so that caches must vary on it."""

    number: int
    by_header: bool
    in_path: bool


def choose_version(request: HttpRequest) -> ChosenVersion:
    """Return the version that a request under `/api/` asks for.

    Raises VersionConflict, or UnsupportedVersion with status 404 (path), 406 (Accept) or 400.
    """
    asked: list[tuple[str, int]] = []
    if match := _PATH.match(request.path_info):
        asked.append(("path", int(match[1])))
    header = request.headers.get("API-Version")
    if header is not None:
        asked.append(("header", _number(header)))
    if match := _ACCEPT.search(request.headers.get("Accept", "")):
        asked.append(("accept", int(match[1])))
    parameter = request.GET.get("api_version")
    if parameter is not None:
        asked.append(("parameter", _number(parameter)))
    for source, number in asked:
        _refuse_unknown(source, number)
    if len({number for _, number in asked}) > 1:
        raise VersionConflict
    number = asked[0][1] if asked else settings.RENDEROWL_DEFAULT_API_VERSION
    sources = {source for source, _ in asked}
    return ChosenVersion(number, by_header=bool(sources & {"header", "accept"}), in_path="path" in sources)


def _number(text: str) -> int:
    match = _NUMBER.match(text.strip())
    return int(match[1]) if match else -1


def _refuse_unknown(source: str, number: int) -> None:
    supported = settings.RENDEROWL_API_VERSIONS
    if number in supported:
        return
    error = UnsupportedVersion(supported=[f"v{version}" for version in supported])
    if source == "path":
        error.code, error.status = "not_found", 404
    elif source == "accept":
        error.code, error.status = "not_acceptable", 406
    raise error
