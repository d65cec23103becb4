"""Types of job, and their queue."""

RUN_JOB = "automations.run"
SCHEDULE_JOB = "automations.schedule"
# A queue of its own, which render jobs cannot keep waiting.
SCHEDULE_QUEUE = "automations"
