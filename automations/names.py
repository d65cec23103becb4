"""Names and bounds that several modules use."""

RUN_JOB = "automations.run"
TICK_JOB = "automations.tick"
# A queue of its own, which render jobs cannot keep waiting.
TICK_QUEUE = "automations"

# How many automations may follow from each other, each by an event of what the one before made.
DEEPEST_CHAIN = 5
MAX_INPUT_BYTES = 64 * 1024
MAX_ACTION_BYTES = 64 * 1024
