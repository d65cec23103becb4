"""Fetch a URL that was fetched before: ask the server whether it is still the same, and use the copy at hand if so."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from pathlib import Path
from uuid import uuid4

import orjson

from files.cache import FileCache
from outbound.exceptions import FetchFailed
from outbound.fetch import FetchedFile, FetchNotModified, fetch_to_file
from outbound.targets import AllowHosts, Resolver, system_resolver


class FetchCache:
    """Files by URL, kept by content.

    Every use asks the server, with the validators of the copy: what it would refuse to give is never taken from here.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self._notes = root / "urls"
        self._files = FileCache(root / "files", limit_bytes)

    def fetch(
        self,
        url: str,
        target: Path,
        *,
        allow_hosts: AllowHosts,
        max_bytes: int,
        total_timeout_s: float = 120.0,
        stop: threading.Event | None = None,
        resolver: Resolver = system_resolver,
    ) -> Path:
        """Put what a URL gives at `target`, and return that; arguments and errors are those of `fetch_to_file`."""
        note = self._read_note(url)
        at_hand = note is not None and self._files.take(note.sha256, target)
        incoming = target.with_name(f".{uuid4().hex}.part")
        try:
            fetched = fetch_to_file(
                url,
                incoming,
                allow_hosts=allow_hosts,
                max_bytes=max_bytes,
                total_timeout_s=total_timeout_s,
                stop=stop,
                etag=note.etag if note and at_hand else "",
                last_modified=note.last_modified if note and at_hand else "",
                resolver=resolver,
            )
        except FetchNotModified:
            if at_hand:
                return target
            raise FetchFailed("http_304", "The server answered with status 304, although nothing was known.") from None
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        incoming.replace(target)
        self._keep(url, target, fetched)
        return target

    def trim(self) -> int:
        """Drop the least recently used files over the limit; return how many went."""
        return self._files.trim()

    def _keep(self, url: str, path: Path, fetched: FetchedFile) -> None:
        if not (fetched.etag or fetched.last_modified):
            return
        self._files.add(path, fetched.sha256)
        note = self._note_path(url)
        note.parent.mkdir(parents=True, exist_ok=True)
        temporary = note.with_name(f".{uuid4().hex}.part")
        temporary.write_bytes(orjson.dumps(fetched))
        temporary.replace(note)

    def _read_note(self, url: str) -> FetchedFile | None:
        # A note that is damaged is as good as none.
        with contextlib.suppress(FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return FetchedFile(**orjson.loads(self._note_path(url).read_bytes()))
        return None

    def _note_path(self, url: str) -> Path:
        return self._notes / hashlib.sha256(url.encode()).hexdigest()
