"""Commands of the credits app."""
