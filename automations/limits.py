"""Limits that several modules use."""

# How many automations may follow from each other, each by an event of what the one before made.
MAX_CHAIN_LENGTH = 5
MAX_INPUT_BYTES = 64 * 1024
MAX_ACTION_BYTES = 64 * 1024
