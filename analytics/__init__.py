"""Usage analytics: an event log of renders, assets and credits, and stats by hour, day and month."""
