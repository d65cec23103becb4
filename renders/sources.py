"""Fetching and probing of the sources of an edit.

Independent of the database and of where files come from: the caller passes a function that fetches one URL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core import tracing
from engine.errors import EditInvalid, MediaUnreadable
from engine.issues import Issue
from engine.language import SourceRef
from engine.media import MediaInfo
from engine.probe.client import probe_files

# `asset:ast_...` in an edit names an asset of the owner.
ASSET_SCHEME = "asset:"
PARALLEL_FETCHES = 4
POLL_S = 0.25


class Fetch(Protocol):
    """Fetches a URL to a local file; called from several threads."""

    def __call__(self, url: str, *, stop: threading.Event) -> Path:
        """Return the file, or raise SourceUnavailable. stop: set when the result is no longer needed."""


class SourceUnavailable(Exception):
    """A source cannot be fetched. The message is for the client."""

    def __init__(self, code: str, detail: str, *, retryable: bool) -> None:
        """code: stable, snake_case. retryable: whether a later attempt may succeed."""
        self.code = code
        self.retryable = retryable
        super().__init__(detail)


class SourcesRefused(EditInvalid):
    """Sources of the edit cannot be used; each issue points at the source of a clip."""

    code = "source_unavailable"

    def __init__(self, issues: Sequence[Issue], *, retryable: bool) -> None:
        """retryable: whether all of them may be available later."""
        super().__init__(issues)
        self.code = issues[0].code
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class _Outcome:
    path: Path | None
    failure: SourceUnavailable | None


def gather_media(
    refs: Iterable[SourceRef], fetch: Fetch, *, check: Callable[[], None] = lambda: None
) -> dict[str, MediaInfo]:
    """Fetch and probe the sources, each URL once, several in parallel; return their media info by URL.

    check: called about four times a second while waiting; may raise to abort.
    Raises SourcesRefused with the pointers of all unusable sources.
    """
    by_url: dict[str, list[SourceRef]] = {}
    for ref in refs:
        by_url.setdefault(ref.url, []).append(ref)
    outcomes = _fetch_all(list(by_url), fetch, check)
    failures = {url: outcome.failure for url, outcome in outcomes.items() if outcome.failure is not None}
    if failures:
        issues = [
            Issue(ref.pointer, failure.code, str(failure)) for url, failure in failures.items() for ref in by_url[url]
        ]
        raise SourcesRefused(issues, retryable=all(failure.retryable for failure in failures.values()))
    return _probe_all({url: outcome.path for url, outcome in outcomes.items() if outcome.path is not None}, by_url)


def _fetch_all(urls: Sequence[str], fetch: Fetch, check: Callable[[], None]) -> dict[str, _Outcome]:
    stop = threading.Event()

    def fetch_one(url: str) -> _Outcome:
        try:
            return _Outcome(fetch(url, stop=stop), None)
        except SourceUnavailable as failure:
            return _Outcome(None, failure)

    pool = ThreadPoolExecutor(PARALLEL_FETCHES, thread_name_prefix="fetch")
    try:
        futures: dict[str, Future[_Outcome]] = {url: pool.submit(fetch_one, url) for url in urls}
        pending = set(futures.values())
        while pending:
            _, pending = wait(pending, timeout=POLL_S, return_when=FIRST_EXCEPTION)
            check()
        return {url: future.result() for url, future in futures.items()}
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _probe_all(paths: dict[str, Path], by_url: dict[str, list[SourceRef]]) -> dict[str, MediaInfo]:
    distinct = list(dict.fromkeys(paths.values()))
    with tracing.span("probe", attributes={"renderowl.probe.files": len(distinct)}):
        found = dict(zip(distinct, probe_files(distinct), strict=True))
    media: dict[str, MediaInfo] = {}
    issues: list[Issue] = []
    for url, path in paths.items():
        result = found[path]
        if isinstance(result, MediaUnreadable):
            issues += [Issue(ref.pointer, result.reason, str(result)) for ref in by_url[url]]
        else:
            media[url] = result
    if issues:
        raise SourcesRefused(issues, retryable=False)
    return media
