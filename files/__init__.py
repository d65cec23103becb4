"""Files: storage, signed links to what it holds, ranges, and a cache by content."""
