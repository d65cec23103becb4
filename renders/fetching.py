"""Fetch the sources of an edit from the network into a folder. Needs no database and no settings."""

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
    """Write what a URL gives to a new file, as `outbound.fetch.fetch_to_file` does."""

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
        """Write the file.

        Raises FetchError.
        """


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How sources may be fetched. allow_hosts: as in FETCH_ALLOW_HOSTS; max_bytes, timeout_s: of one file."""

    allow_hosts: AllowHosts
    max_bytes: int
    timeout_s: float


class FolderFetch:
    """Fetches URLs into one folder."""

    def __init__(self, folder: Path, terms: FetchOptions, download: Download = fetch_to_file) -> None:
        """download: `fetch_to_file`, or something like it that need not fetch everything anew."""
        self._folder = folder
        self._download = download
        self._terms = terms
        self._numbers = count()

    def __call__(self, url: str, *, stop: threading.Event) -> Path:
        """Return the fetched file.

        Raises SourceUnavailable.
        """
        if not url.startswith(("http://", "https://")):
            detail = "Without a server only http(s) sources can be used, not files or assets of an account."
            raise SourceUnavailable("source_refused", detail, retryable=False)
        # The name says nothing: what a file is, its content decides.
        target = self._folder / f"source-{next(self._numbers)}"
        try:
            self._download(
                url,
                target,
                allow_hosts=self._terms.allow_hosts,
                max_bytes=self._terms.max_bytes,
                total_timeout_s=self._terms.timeout_s,
                stop=stop,
            )
        except FetchError as failure:
            raise SourceUnavailable(failure.reason, failure.detail, retryable=failure.retryable) from failure
        return target
