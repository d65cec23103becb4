"""The database engine: a supervisor, its slots, and the housekeeping of the queue.

`supervisor` starts one process per slot and looks after it; `slot` runs one job at a time through `runner`, while
`heartbeat` renews its lease; `idle` waits for work; `deadlines` is what slots and supervisor share.
`io_slot` is the one process in which the jobs of I/O queues run, many at a time.
"""
