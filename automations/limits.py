"""Limits shared by several modules."""

# The number of automations that may trigger each other in a chain, each by an event of the previous one's work.
MAX_CHAIN_LENGTH = 5
MAX_INPUT_BYTES = 64 * 1024
MAX_ACTION_BYTES = 64 * 1024
