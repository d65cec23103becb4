"""The jobs app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """See the package's docstring."""

    name = "jobs"
    staff_scopes = ("jobs:read", "jobs:write")
