"""A generic job queue in the database: enqueue, claim, retry, dead-letter, schedule, and the workers."""
