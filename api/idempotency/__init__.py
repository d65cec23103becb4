"""Idempotency keys: a repeated POST has no second effect and gets the first response.

Source: draft-ietf-httpapi-idempotency-key-header-07. `views` has the mixin for endpoints, `services` the rules.
"""
