"""The problem types: one stable code each, with its title, status and explanation.

They are what `/problems/<code>` documents and what clients switch on; a code is never renamed inside an API version.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of refusal. title: constant; explanation: what a client should do about it."""

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
    ProblemType("idempotency_key_required", 400, "Idempotency-Key required", "This path takes no request without an Idempotency-Key. Send one that is new for each movement, and the same when you repeat it."),
    ProblemType("version_conflict", 400, "Conflicting versions", "Two parts of the request ask for different API versions. Name one."),
    ProblemType("unsupported_version", 400, "Unsupported version", "There is no such API version. `supported` lists those that exist."),
    ProblemType("unauthenticated", 401, "Not authenticated", "Send an API key or an access token that is valid."),
    ProblemType("token_expired", 401, "Credential expired", "The key or token has expired. Refresh the token or make a new key."),
    ProblemType("token_revoked", 401, "Credential revoked", "The key or token was revoked. Make a new one."),
    ProblemType("insufficient_credits", 402, "Not enough credits", "The render costs more than the balance. `required` and `balance` say how much."),
    ProblemType("missing_scope", 403, "Missing scope", "The credential does not carry the scope that `required_scope` names."),
    ProblemType("staff_only", 403, "For staff", "This path is for the staff of the installation, whatever scopes a credential carries."),
    ProblemType("signature_invalid", 403, "Invalid link", "The link was altered or was not made here. Ask the API for a new one."),
    ProblemType("account_suspended", 403, "Account suspended", "The account may not be used. Ask the staff of this installation."),
    ProblemType("not_found", 404, "Not found", "There is no such object, or it belongs to somebody else."),
    ProblemType("method_not_allowed", 405, "Method not allowed", "The path exists but does not take this method. The Allow header lists those it takes."),
    ProblemType("not_acceptable", 406, "Not acceptable", "No representation fits the Accept header. The API answers application/json."),
    ProblemType("invalid_state", 409, "Not in this state", "The object is in a state that does not allow this."),
    ProblemType("stale_attempt", 409, "Attempt is over", "The lease token is not that of the attempt that has the render now: it ran out, or the render went to another worker. Stop working on it and claim anew."),
    ProblemType("message_id_reused", 409, "Message id used before", "A message with this webhook-id and another body was processed before. Give every message an id of its own; repeat one with the same body."),
    ProblemType("asset_in_use", 409, "Asset in use", "Active renders need the asset. `conflicts` lists them; try again when they have ended."),
    ProblemType("idempotency_in_progress", 409, "First request in progress", "The first request with this Idempotency-Key has not been answered yet. Send it again after the time that Retry-After gives."),
    ProblemType("version_sunset", 410, "No longer served", "This version or path has ended. The Link header leads to what replaces it."),
    ProblemType("link_expired", 410, "Link expired", "The link's time is over. Ask the API for a new one."),
    ProblemType("length_required", 411, "Length required", "An upload must announce its size in Content-Length."),
    ProblemType("precondition_failed", 412, "Changed meanwhile", "The object is not (or no longer) the one that If-Match names. Read it again, and send its ETag."),
    ProblemType("payload_too_large", 413, "Payload too large", "The body is over the limit, which `limit_bytes` gives."),
    ProblemType("unsupported_media_type", 415, "Unsupported media type", "The body's content type is not one that this path takes. `accepted` lists them."),
    ProblemType("range_not_satisfiable", 416, "Range not satisfiable", "The range lies outside of the file. `size_bytes` is the file's length."),
    ProblemType("validation_error", 422, "Not acceptable as it stands", "The request is well-formed, but some values cannot be used. Each error points at its place."),
    ProblemType("idempotency_mismatch", 422, "Idempotency-Key used before", "The Idempotency-Key was used for another request. A new request needs a new key; a repeat must be the same in method, path, query, content type, API version and body."),
    ProblemType("precondition_required", 428, "If-Match required", "Several people work on this kind of object. Send the ETag of what you have read in If-Match, so that nobody's change is lost."),
    ProblemType("rate_limited", 429, "Too many requests", "Wait as long as Retry-After says."),
    ProblemType("internal_error", 500, "Internal error", "The fault is ours. Quote the request id when you report it."),
    ProblemType("overloaded", 503, "Overloaded", "Try again after the time that Retry-After gives."),
    ProblemType("maintenance", 503, "Resting for a moment", "Try again after the time that Retry-After gives. Shortly before a version ends it rests for a minute of each hour."),
    ProblemType("database_gone", 503, "Database out of reach", "The database is being replaced or repaired. Try again after the time that Retry-After gives."),
    ProblemType("disk_full", 503, "Disk full", "The disk of the service is full. Nothing was changed; try again after the time that Retry-After gives."),
    ProblemType("database_busy", 503, "Database busy", "Another writer holds the database. Try again after the time that Retry-After gives."),
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
    """Return the general code of an HTTP status."""
    return _BY_STATUS.get(status, "internal_error" if status >= 500 else "invalid_request")
