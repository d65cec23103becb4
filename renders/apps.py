"""The renders app."""

from django.apps import AppConfig


class RendersConfig(AppConfig):
    """See the package's docstring."""

    name = "renders"

    def ready(self) -> None:
        """Know projects."""
        from assets.projects import project_checks
        from core.front.rows import register_tag_reader
        from renders.selectors import owns_project  # needs the app registry
        from renders.views.tags import tag_asked_for

        project_checks.register(owns_project)
        register_tag_reader("render-detail", tag_asked_for)
