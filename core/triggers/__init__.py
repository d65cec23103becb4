"""Database triggers, which run on every change of a row, however it is written.

`definitions` has the triggers of each table, `install` keeps the database up to date. Decision 0011 explains why this
is done in triggers and not in the models.
"""
