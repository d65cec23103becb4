"""Alerts: rules over what the monitor measures, a state machine in rows, and messages that leave once.

`metrics` says what can be asked, `state_machine` what follows from an answer, `evaluation` does both every few seconds
for all rules and writes the rows, `outbox` groups what is to be sent and `delivery` sends it.
"""
