"""User notifications by inbox and email, and outgoing webhooks."""
