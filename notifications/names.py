"""Names that several modules use."""

EMAIL_JOB = "notifications.send_email"
BROADCAST_JOB = "notifications.broadcast"
UPKEEP_JOB = "notifications.upkeep"
DELIVER_JOB = "notifications.deliver"
REPLAY_JOB = "notifications.replay"
DELIVER_QUEUE = "webhooks"
# For receivers that take their time.
SLOW_QUEUE = "webhooks-slow"
