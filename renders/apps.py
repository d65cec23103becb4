"""App configuration of renders."""

from django.apps import AppConfig


class RendersConfig(AppConfig):
    """Projects, templates, renders and batches, with their API scopes."""

    name = "renders"
    public_scopes = ("renders:read", "renders:write", "renders:cancel", "templates:read", "templates:write")
    restricted_scopes = ("workers:report",)

    def ready(self) -> None:
        """Register the check that a project belongs to the owner of an asset."""
        from assets.project_access import project_checks
        from renders.selectors import owns_project  # needs the app registry

        project_checks.register(owns_project)
