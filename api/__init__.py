"""API infrastructure: views, versions, pagination, problems, idempotency, response cache, rate limits, OpenAPI."""
