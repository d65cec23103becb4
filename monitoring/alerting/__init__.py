"""Alerting: rules over metrics, a persistent state machine per alert, and messages sent exactly once.

`metrics` reads samples, `state_machine` decides on them, `evaluation` applies both to all rules every few seconds and
writes the rows, `outbox` groups messages into notifications, and `delivery` sends those.
"""
