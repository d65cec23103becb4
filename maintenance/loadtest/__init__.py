"""Load tests: `manage.py load_test` and `load_test_health`.

command -> launcher (checks, starts, passes signals on) -> a child process: driver (locust) -> response_stats
-> one JSON report

locust patches the standard library as it is imported, so nothing but `driver` may import it, and only the child
imports `driver`. The child knows neither Django nor the settings: the key reaches it by its standard input.
"""
