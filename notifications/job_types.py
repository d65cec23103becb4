"""Names of the job types and queues of notifications."""

EMAIL_JOB = "notifications.send_email"
BROADCAST_JOB = "notifications.broadcast"
HOUSEKEEPING_JOB = "notifications.housekeeping"
DELIVER_JOB = "notifications.deliver"
REPLAY_JOB = "notifications.replay"
DELIVER_QUEUE = "webhooks"
# For slow receivers, so that they do not delay the others.
SLOW_QUEUE = "webhooks-slow"
