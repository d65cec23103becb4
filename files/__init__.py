"""File storage, signed links, byte ranges, and a content-addressed cache."""
