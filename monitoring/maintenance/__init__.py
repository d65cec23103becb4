"""Looking after the database: migrations on record, figures, cleaning up, optimising, checking, backing up."""
