"""Load tests: `manage.py load_test` and `load_test_health`.

command -> launcher (checks, starts, forwards signals) -> child process: driver (locust) -> response_stats
-> one JSON report

Locust patches the standard library on import, so only `driver` may import it, and only the child process imports
`driver`. The child loads neither Django nor the settings: it reads the API key from standard input.
"""
