"""What users are told: their inboxes, and emails."""
