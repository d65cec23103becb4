"""The renders app."""

from django.apps import AppConfig


class RendersConfig(AppConfig):
    """See the package's docstring."""

    name = "renders"
    public_scopes = ("renders:read", "renders:write", "renders:cancel", "templates:read", "templates:write")
    restricted_scopes = ("workers:report",)

    def ready(self) -> None:
        """Know projects."""
        from assets.project_access import project_checks
        from renders.selectors import owns_project  # needs the app registry

        project_checks.register(owns_project)
