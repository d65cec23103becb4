"""Where files lie: a directory, or a bucket. Writes are atomic, reads can start anywhere."""
