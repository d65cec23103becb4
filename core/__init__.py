"""What every app needs: ids, base models, events, registries, errors, database, cache tags, logs, traces."""
