"""Django's SQLite backend, which here also looks whether the file of the database is still the one that it opened."""
