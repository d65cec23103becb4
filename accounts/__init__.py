"""Users, plans, API keys, tokens, audit."""
