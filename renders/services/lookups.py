"""Cached lookups of the objects that the requests of one account refer to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from assets.models import Asset
from renders.models import Project, Template
from renders.selectors import find_assets
from renders.sources import ASSET_SCHEME


class Lookups:
    """Cache of an account's projects, templates and assets, for one request or the rows of one batch."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._projects: dict[UUID, bool] = {}
        self._templates: dict[UUID, Template | None] = {}
        self._assets: dict[str, Asset | None] = {}

    def has_project(self, project_id: UUID) -> bool:
        """Return whether the account owns the project."""
        if project_id not in self._projects:
            found = Project.objects.for_owner(self._owner).filter(pk=project_id).exists()
            self._projects[project_id] = found
        return self._projects[project_id]

    def template(self, template_id: UUID) -> Template | None:
        """Return the account's template, None if there is none of this id."""
        if template_id not in self._templates:
            self._templates[template_id] = Template.objects.for_owner(self._owner).filter(pk=template_id).first()
        return self._templates[template_id]

    def assets(self, urls: Iterable[str]) -> dict[str, Asset]:
        """Return the account's assets that `asset:` URLs name, by URL; missing ones are left out."""
        wanted = {url for url in urls if url.startswith(ASSET_SCHEME)}
        if unknown := wanted - self._assets.keys():
            self._assets |= dict.fromkeys(unknown)
            self._assets |= find_assets(self._owner.pk, unknown)
        found = {url: self._assets[url] for url in wanted}
        return {url: asset for url, asset in found.items() if asset is not None}
