"""Job types of automations, and the queue of the scheduling job."""

RUN_JOB = "automations.run"
SCHEDULE_JOB = "automations.schedule"
# A separate queue, so that renders cannot delay it.
SCHEDULE_QUEUE = "automations"
