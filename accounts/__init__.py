"""Users, plans, API keys, tokens, second factors and the audit log."""
