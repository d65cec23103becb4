"""Rate limits: token buckets and login throttles, shared by all processes.

`buckets` is the algorithm, as pure functions; the stores hold the state in a SQLite file or in Redis; `limiter` is the
interface for the rest of the program, where apps register their limits.
"""
