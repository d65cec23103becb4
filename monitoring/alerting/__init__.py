"""Alerts: rules over what the monitor measures, a state machine in rows, and messages that leave once.

`measures` says what can be asked, `states` what follows from an answer, `evaluating` does both every few seconds for
all rules and writes the rows, `outbox` groups what is to be told and `sending` tells it.
"""
