"""The hot statements of the queue, in SQL: through the ORM they cost seven times as much.

`statements` holds the texts, `run` executes them, `rows` turns what comes back into snapshots.
"""
