"""Rate limits: token buckets and penalties for failed logins, shared by all processes.

`buckets` and `penalties` are the rules, as pure functions of a clock; the stores keep the state in a SQLite file of its
own or in a Redis; `limiter` is what the rest of the program calls; `registry` is where an app says whom to count.
"""
