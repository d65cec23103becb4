"""What happened, event by event, and its stats by hour and day."""
