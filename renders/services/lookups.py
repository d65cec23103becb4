"""What requests of one account refer to, looked up once each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from assets.models import Asset
from renders.models import Project, Template
from renders.selectors import find_assets
from renders.sources import ASSET_SCHEME


class Lookups:
    """The projects, templates and assets of an account, as far as they were asked for.

    For one request, or for the rows of one batch; what it found is not looked up again.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._projects: dict[UUID, bool] = {}
        self._templates: dict[UUID, Template | None] = {}
        self._assets: dict[str, Asset | None] = {}

    def has_project(self, project_id: UUID) -> bool:
        """Return whether the account has the project."""
        if project_id not in self._projects:
            found = Project.objects.for_owner(self._owner).filter(pk=project_id).exists()
            self._projects[project_id] = found
        return self._projects[project_id]

    def template(self, template_id: UUID) -> Template | None:
        """Return the account's template, None where it has none of that id."""
        if template_id not in self._templates:
            self._templates[template_id] = Template.objects.for_owner(self._owner).filter(pk=template_id).first()
        return self._templates[template_id]

    def assets(self, urls: Iterable[str]) -> dict[str, Asset]:
        """Return the account's assets that `asset:` URLs name, by URL; what it has not is left out."""
        wanted = {url for url in urls if url.startswith(ASSET_SCHEME)}
        if unknown := wanted - self._assets.keys():
            self._assets |= dict.fromkeys(unknown)
            self._assets |= find_assets(self._owner.pk, unknown)
        found = {url: self._assets[url] for url in wanted}
        return {url: asset for url, asset in found.items() if asset is not None}
