"""Types of job, and their queues."""

EMAIL_JOB = "notifications.send_email"
BROADCAST_JOB = "notifications.broadcast"
HOUSEKEEPING_JOB = "notifications.housekeeping"
DELIVER_JOB = "notifications.deliver"
REPLAY_JOB = "notifications.replay"
DELIVER_QUEUE = "webhooks"
# For receivers that take their time.
SLOW_QUEUE = "webhooks-slow"
