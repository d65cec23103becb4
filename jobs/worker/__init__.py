"""The worker: a supervisor, its slots, and the housekeeping of the queue.

`supervisor` starts and monitors one process per slot; `slot` runs one job at a time through `runner`, while `heartbeat`
renews its lease; `listener` waits for work; `deadlines` is memory shared by slots and supervisor; `io_slot` runs the
jobs of I/O queues concurrently in one process.
"""
