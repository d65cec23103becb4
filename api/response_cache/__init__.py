"""Answers kept by the server, and how it knows that they are still true.

`core.cache_tags`: the tags and their versions, in the main database, where triggers raise them in the transaction of
every change; `store`: where responses lie, apart from the main database; `cache`: what the middleware asks.
Decision 0011 has the reasons.
"""
