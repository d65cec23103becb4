"""App configuration of the job queue."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The job queue and its internal API for staff."""

    name = "jobs"
    staff_scopes = ("jobs:read", "jobs:write")
