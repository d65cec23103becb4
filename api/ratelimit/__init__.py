"""Rate limits: token buckets and throttles of failed logins, shared by all processes.

`buckets` is the rule of buckets, a pure function of a clock; the stores keep the state in a SQLite file or in a Redis;
`limiter` is what the rest of the program calls, and where an app says whom to count.
"""
