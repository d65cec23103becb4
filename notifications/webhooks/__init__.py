"""What webhooks say and how they are sent: the types of event, their bodies, one request. Writes no rows."""
