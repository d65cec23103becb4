"""Answers kept by the server, and how it knows that they are still true.

`families`: which rows belong to which account's tag; `generations`: the state of tags, in the main database, where
triggers raise it in the transaction of every change; `store`: where answers lie, apart from the main database;
`answers`: what a view asks. Decision 0011 has the reasons.
"""
