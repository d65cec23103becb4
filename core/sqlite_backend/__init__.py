"""Django's SQLite backend, which here also reconnects when the database file was replaced."""
