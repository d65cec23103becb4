"""What happened, event by event, and its figures by hour and day."""
