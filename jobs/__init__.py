"""A generic queue on the database: enqueue, claim, retry, dead letter, schedule, worker. Knows no product."""
