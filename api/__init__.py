"""The plumbing of the API: views, versions, pagination, problems, idempotency, response cache, rate limits, OpenAPI."""
