"""Cache of files fetched by URL, revalidated with the server on every use."""

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
    """Files by URL, stored by content. A URL that the server refuses now is never served from the cache."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self._entries = root / "urls"
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
        """Fetch a URL to `target` and return `target`; arguments and errors are those of `fetch_to_file`."""
        entry = self._read_entry(url)
        is_cached = entry is not None and self._files.take(entry.sha256, target)
        incoming = target.with_name(f".{uuid4().hex}.part")
        try:
            fetched = fetch_to_file(
                url,
                incoming,
                allow_hosts=allow_hosts,
                max_bytes=max_bytes,
                total_timeout_s=total_timeout_s,
                stop=stop,
                etag=entry.etag if entry and is_cached else "",
                last_modified=entry.last_modified if entry and is_cached else "",
                resolver=resolver,
            )
        except FetchNotModified:
            if is_cached:
                return target
            raise FetchFailed("http_304", "The server sent status 304 to an unconditional request.") from None
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        incoming.replace(target)
        self._store(url, target, fetched)
        return target

    def trim(self) -> int:
        """Delete the least recently used files over the limit; return their number."""
        return self._files.trim()

    def _store(self, url: str, path: Path, fetched: FetchedFile) -> None:
        if not (fetched.etag or fetched.last_modified):
            return
        self._files.add(path, fetched.sha256)
        entry = self._entry_path(url)
        entry.parent.mkdir(parents=True, exist_ok=True)
        temporary = entry.with_name(f".{uuid4().hex}.part")
        temporary.write_bytes(orjson.dumps(fetched))
        temporary.replace(entry)

    def _read_entry(self, url: str) -> FetchedFile | None:
        # A damaged entry counts as missing.
        with contextlib.suppress(FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return FetchedFile(**orjson.loads(self._entry_path(url).read_bytes()))
        return None

    def _entry_path(self, url: str) -> Path:
        return self._entries / hashlib.sha256(url.encode()).hexdigest()
