"""Response cache, invalidated by the versions of cache tags.

`core.cache_tags`: the tags and their versions, in the main database, where triggers increment them in the transaction
of every change; `store`: where responses are stored, outside of the main database; `cache`: the interface for the
middleware. Decision 0011 has the reasons.
"""
