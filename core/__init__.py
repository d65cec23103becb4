"""What every app may use: ids, errors, events, the plumbing of the API, safe HTTP."""
