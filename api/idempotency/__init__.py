"""Idempotency keys: a POST that is sent again has no second effect and gets the first answer.

Source: draft-ietf-httpapi-idempotency-key-header-07. `views` is what endpoints use, `services` the rules.
"""
