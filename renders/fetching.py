"""Fetcher of sources from the network into a folder. Needs no database and no settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from outbound.exceptions import FetchError
from outbound.fetch import fetch_to_file
from outbound.targets import AllowHosts
from renders.sources import SourceUnavailable


class Download(Protocol):
    """Downloads a URL to a new file, as `outbound.fetch.fetch_to_file` does."""

    def __call__(
        self,
        url: str,
        target: Path,
        *,
        allow_hosts: AllowHosts,
        max_bytes: int,
        total_timeout_s: float,
        stop: threading.Event | None,
    ) -> object:
        """Write the file, or raise FetchError."""


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How sources may be fetched. allow_hosts: as in FETCH_ALLOW_HOSTS; max_bytes, timeout_s: for each file."""

    allow_hosts: AllowHosts
    max_bytes: int
    timeout_s: float


class FolderFetch:
    """Fetches URLs into one folder."""

    def __init__(self, folder: Path, options: FetchOptions, download: Download = fetch_to_file) -> None:
        """download: `fetch_to_file`, or a cache in front of it."""
        self._folder = folder
        self._download = download
        self._options = options
        self._numbers = count()

    def __call__(self, url: str, *, stop: threading.Event) -> Path:
        """Return the downloaded file, or raise SourceUnavailable."""
        if not url.startswith(("http://", "https://")):
            detail = "Only http(s) sources can be used without a server, not files or `asset:` URLs."
            raise SourceUnavailable("source_refused", detail, retryable=False)
        # No suffix of the URL: the type of a file is detected from its content.
        target = self._folder / f"source-{next(self._numbers)}"
        try:
            self._download(
                url,
                target,
                allow_hosts=self._options.allow_hosts,
                max_bytes=self._options.max_bytes,
                total_timeout_s=self._options.timeout_s,
                stop=stop,
            )
        except FetchError as failure:
            raise SourceUnavailable(failure.reason, failure.detail, retryable=failure.retryable) from failure
        return target
