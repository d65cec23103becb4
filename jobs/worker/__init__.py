"""The database engine: a supervisor, its slots, and the upkeep of the queue.

`supervisor` starts one process per slot and looks after it; `slot` runs one job at a time through `runner`, while
`heartbeat` renews its lease; `idle` waits for work; `board` is what slots and supervisor share; `inline` runs jobs
in the calling process.
"""
