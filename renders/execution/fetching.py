"""Fetcher of a worker: gets sources from the owner's assets or from the network."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from opentelemetry.trace import get_current_span

from assets.local_files import copy_to_folder, fetch_cache
from assets.models import Asset
from core import tracing
from renders.fetching import FetchOptions, FolderFetch
from renders.models import Render
from renders.selectors import find_assets
from renders.sources import ASSET_SCHEME, SourceUnavailable


class LibraryFetch:
    """Fetches the sources of one render into a folder.

    Assets are looked up in advance, so that the fetching threads need no database connection.
    """

    def __init__(self, render: Render, urls: Iterable[str], folder: Path) -> None:
        """urls: every source of the edit."""
        self._folder = folder
        # Fetching runs in threads, which do not inherit the current span.
        self._span = get_current_span()
        self._assets: dict[str, Asset] = find_assets(render.owner_id, urls)
        self._from_network = FolderFetch(
            folder,
            FetchOptions(
                settings.RENDEROWL_FETCH_ALLOW_HOSTS,
                settings.RENDEROWL_UPLOAD_LIMIT_BYTES,
                settings.RENDEROWL_FETCH_TIMEOUT_S,
            ),
            fetch_cache().fetch,
        )

    def __call__(self, url: str, *, stop: threading.Event) -> Path:
        """Return the local file of a source, or raise SourceUnavailable."""
        is_asset = url.startswith(ASSET_SCHEME)
        attributes: tracing.Attributes = {"renderowl.source.kind": "asset" if is_asset else "url"}
        with tracing.as_current(self._span), tracing.span("fetch source", attributes=attributes) as span:
            path = self._fetch(url, stop)
            tracing.set_attributes(span, {"renderowl.source.size_bytes": path.stat().st_size})
        return path

    def _fetch(self, url: str, stop: threading.Event) -> Path:
        if not url.startswith(ASSET_SCHEME):
            return self._from_network(url, stop=stop)
        asset = self._assets.get(url)
        if asset is None or not asset.is_ready:
            raise SourceUnavailable("asset_not_found", "There is no such asset.", retryable=False)
        try:
            return copy_to_folder(asset, self._folder)
        except FileNotFoundError as error:
            detail = "The asset's file is missing from the storage."
            raise SourceUnavailable("asset_file_missing", detail, retryable=False) from error
        except OSError as error:
            detail = "The asset's file could not be read from the storage."
            raise SourceUnavailable("storage_unavailable", detail, retryable=True) from error
