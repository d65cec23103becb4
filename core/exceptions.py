"""Errors that services raise and clients see.

DomainError
├── InvalidRequest       400  a header, parameter or body that cannot be read
├── NotFound             404
├── PayloadTooLarge      413
├── InvalidState         409  the object's state does not allow this
├── PreconditionFailed   412  the object has changed since the client read it
├── Unprocessable        422  readable but invalid; lists the errors with their pointers
└── Unavailable          503  try again later
The apps define theirs in their own `exceptions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class DomainError(Exception):
    """The request cannot be processed."""

    code = "invalid_request"
    status = 400
    retry_after_s: int | None = None

    def __init__(self, detail: str = "", **members: Any) -> None:
        """detail: one sentence for the client, by default the first line of the docstring.

        members: further members of the problem document, such as `conflicts` or `required_scope`.
        """
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        self.members = members
        super().__init__(self.detail)


class InvalidRequest(DomainError):
    """The request cannot be understood."""


class InvalidParameter(InvalidRequest):
    """A query parameter is unknown or has an unusable value."""

    code = "invalid_parameter"

    def __init__(self, parameter: str, detail: str) -> None:
        error = {"parameter": parameter, "code": self.code, "detail": detail}
        super().__init__(detail, parameter=parameter, errors=[error])


class InvalidHeader(InvalidRequest):
    """A request header has an unusable value."""

    code = "invalid_header"

    def __init__(self, header: str, detail: str) -> None:
        super().__init__(detail, errors=[{"header": header, "code": self.code, "detail": detail}])


class PayloadTooLarge(DomainError):
    """The body is over the limit."""

    code = "payload_too_large"
    status = 413


class NotFound(DomainError):
    """No such object."""

    code = "not_found"
    status = 404


class InvalidState(DomainError):
    """The object's state does not allow this."""

    code = "invalid_state"
    status = 409


class PreconditionFailed(DomainError):
    """The object has changed since it was read."""

    code = "precondition_failed"
    status = 412


class Unprocessable(DomainError):
    """The request is well-formed but invalid."""

    code = "validation_error"
    status = 422
    MAX_ERRORS = 50

    def __init__(self, errors: Sequence[Mapping[str, str]], detail: str = "") -> None:
        """errors: items with `pointer` (or `parameter`, `header`), `code` and `detail`; at most 50 are reported."""
        members: dict[str, Any] = {"errors": list(errors[: self.MAX_ERRORS])}
        if len(errors) > self.MAX_ERRORS:
            members["errors_truncated"] = True
        super().__init__(detail, **members)


class Unavailable(DomainError):
    """The service is temporarily unavailable."""

    code = "overloaded"
    status = 503
    retry_after_s = 1
