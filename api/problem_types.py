"""Problem types: the stable code of each, with its status, title and explanation.

`/problems/<code>` documents them and clients switch on them; a code is never renamed inside an API version.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of error. title: constant; explanation: what the client should do."""

    code: str
    status: int
    title: str
    explanation: str

    @property
    def slug(self) -> str:
        """Return the last part of the type's URI."""
        return self.code.replace("_", "-")


_TYPES = (
    ProblemType("malformed_json", 400, "Malformed JSON", "The body is not JSON. Check quotes, commas and the encoding, which must be UTF-8."),
    ProblemType("invalid_header", 400, "Invalid header", "A request header cannot be read. The errors list names it."),
    ProblemType("invalid_parameter", 400, "Invalid parameter", "A query parameter is unknown, or its value cannot be used. `parameter` names it."),
    ProblemType("invalid_request", 400, "Invalid request", "The request cannot be understood. Compare it with the reference."),
    ProblemType("idempotency_key_required", 400, "Idempotency-Key required", "This path requires an Idempotency-Key. Send a new key with each operation, and the same key when you retry it."),
    ProblemType("version_conflict", 400, "Conflicting versions", "Two parts of the request ask for different API versions. Name one."),
    ProblemType("unsupported_version", 400, "Unsupported version", "This API version does not exist. `supported` lists those that do."),
    ProblemType("unauthenticated", 401, "Not authenticated", "Send a valid API key or access token."),
    ProblemType("token_expired", 401, "Credential expired", "The key or token has expired. Refresh the token or create a new key."),
    ProblemType("token_revoked", 401, "Credential revoked", "The key or token was revoked. Create a new one."),
    ProblemType("insufficient_credits", 402, "Not enough credits", "The render costs more than the balance. `required` and `balance` say how much."),
    ProblemType("missing_scope", 403, "Missing scope", "The credential lacks the scope that `required_scope` names."),
    ProblemType("staff_only", 403, "Staff only", "Only staff of this installation may use this path, whatever scopes the credential carries."),
    ProblemType("signature_invalid", 403, "Invalid link", "The link was altered, or was not created by this service. Request a new one from the API."),
    ProblemType("account_suspended", 403, "Account suspended", "The account is suspended. Contact the staff of this installation."),
    ProblemType("not_found", 404, "Not found", "The object does not exist, or it belongs to another account."),
    ProblemType("method_not_allowed", 405, "Method not allowed", "The path exists but does not support this method. The Allow header lists those it supports."),
    ProblemType("not_acceptable", 406, "Not acceptable", "No representation fits the Accept header. The API answers application/json."),
    ProblemType("invalid_state", 409, "Invalid state", "The current state of the object does not allow this."),
    ProblemType("stale_attempt", 409, "Stale attempt", "The lease token does not belong to the current attempt: the lease expired, or another worker has the render. Stop working on it and claim another job."),
    ProblemType("message_id_reused", 409, "Message id reused", "A message with this webhook-id and another body was already processed. Give every message its own id; repeat a message with the same body."),
    ProblemType("asset_in_use", 409, "Asset in use", "Active renders need the asset. `conflicts` lists them; try again when they have ended."),
    ProblemType("idempotency_in_progress", 409, "First request in progress", "The first request with this Idempotency-Key is still in progress. Retry after the time that Retry-After gives."),
    ProblemType("version_sunset", 410, "No longer served", "This version or path has ended. The Link header names its replacement."),
    ProblemType("link_expired", 410, "Link expired", "The link has expired. Request a new one from the API."),
    ProblemType("length_required", 411, "Length required", "An upload must announce its size in Content-Length."),
    ProblemType("precondition_failed", 412, "Precondition failed", "The object does not match If-Match any more. Read it again, and send its new ETag."),
    ProblemType("payload_too_large", 413, "Payload too large", "The body is larger than `limit_bytes`."),
    ProblemType("unsupported_media_type", 415, "Unsupported media type", "This path does not accept the body's content type. `accepted` lists those it accepts."),
    ProblemType("range_not_satisfiable", 416, "Range not satisfiable", "The range lies outside of the file. `size_bytes` is the file's length."),
    ProblemType("validation_error", 422, "Validation failed", "The request is well-formed, but some values are invalid. Each error points at one of them."),
    ProblemType("idempotency_mismatch", 422, "Idempotency-Key reused", "The Idempotency-Key was used for another request. A new request needs a new key; a repeat must be the same in method, path, query, content type, API version and body."),
    ProblemType("precondition_required", 428, "If-Match required", "Several users may edit this object. Send the ETag that you read in If-Match, so that no change is lost."),
    ProblemType("rate_limited", 429, "Too many requests", "Wait as long as Retry-After says."),
    ProblemType("internal_error", 500, "Internal error", "The server failed. Quote the request id when you report it."),
    ProblemType("overloaded", 503, "Overloaded", "Retry after the time that Retry-After gives."),
    ProblemType("maintenance", 503, "Maintenance", "Retry after the time that Retry-After gives. Shortly before its end, a version is unavailable for a minute of each hour."),
    ProblemType("database_gone", 503, "Database unavailable", "The database is being replaced or repaired. Retry after the time that Retry-After gives."),
    ProblemType("disk_full", 503, "Disk full", "The disk of the service is full. Nothing was changed; retry after the time that Retry-After gives."),
    ProblemType("database_busy", 503, "Database busy", "Another writer has locked the database. Retry after the time that Retry-After gives."),
)  # fmt: skip

PROBLEM_TYPES = {problem.code: problem for problem in _TYPES}
_BY_STATUS = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "missing_scope",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "invalid_state",
    410: "link_expired",
    411: "length_required",
    412: "precondition_failed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "validation_error",
    428: "precondition_required",
    429: "rate_limited",
    503: "overloaded",
}


def code_of_status(status: int) -> str:
    """Return the generic code of an HTTP status."""
    return _BY_STATUS.get(status, "internal_error" if status >= 500 else "invalid_request")
