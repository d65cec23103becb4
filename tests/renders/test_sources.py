"""Fetching and probing of the sources of an edit."""

from __future__ import annotations

import threading
import time

import pytest
from PIL import Image

from engine.language import SourceKind, SourceRef
from renders.sources import PARALLEL_FETCHES, SourcesRefused, SourceUnavailable, gather_media


def refs(*urls):
    return [SourceRef(f"/{number}", url, SourceKind.IMAGE) for number, url in enumerate(urls)]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture"
    Image.new("RGB", (8, 6)).save(path, "PNG")
    return path


def test_fetches_each_url_once_and_several_in_parallel(picture):
    calls, together, most = [], 0, 0
    lock = threading.Lock()
    all_in = threading.Barrier(PARALLEL_FETCHES)

    def fetch(url, *, stop):
        nonlocal together, most
        with lock:
            calls.append(url)
            together += 1
            most = max(most, together)
        all_in.wait(timeout=10)
        with lock:
            together -= 1
        return picture

    urls = [f"u{number}" for number in range(2 * PARALLEL_FETCHES)]
    media = gather_media(refs(*urls, *urls), fetch)
    assert sorted(calls) == sorted(urls)
    assert most == PARALLEL_FETCHES
    assert {(info.width, info.height) for info in media.values()} == {(8, 6)}


def test_points_at_every_use_of_a_failed_source(picture, tmp_path):
    def fetch(url, *, stop):
        if url == "good":
            return picture
        raise SourceUnavailable("gone", "It is gone.", retryable=url == "later")

    with pytest.raises(SourcesRefused) as refused:
        gather_media(refs("good", "bad", "later", "bad"), fetch)
    assert sorted(issue.pointer for issue in refused.value.issues) == ["/1", "/2", "/3"]
    assert refused.value.retryable is False
    with pytest.raises(SourcesRefused) as refused:
        gather_media(refs("good", "later"), fetch)
    assert refused.value.retryable is True


def test_points_at_files_that_are_not_media(picture, tmp_path):
    words = tmp_path / "words"
    words.write_text("not a picture")
    with pytest.raises(SourcesRefused) as refused:
        gather_media(refs("a", "b"), lambda url, *, stop: picture if url == "a" else words)
    assert [(issue.pointer, issue.code) for issue in refused.value.issues] == [("/1", "unsupported_type")]


def test_aborts_when_the_check_raises(picture):
    seen = threading.Event()

    class Enough(Exception):
        pass

    def fetch(url, *, stop):
        seen.set()
        assert stop.wait(timeout=10), "the fetcher was not told to stop"
        return picture

    def check():
        if seen.is_set():
            raise Enough

    began = time.monotonic()
    with pytest.raises(Enough):
        gather_media(refs("a", "b"), fetch, check=check)
    assert time.monotonic() - began < 5


def test_an_unexpected_exception_of_the_fetcher_propagates():
    def fetch(url, *, stop):
        raise RuntimeError("mistake")

    with pytest.raises(RuntimeError, match="mistake"):
        gather_media(refs("a"), fetch)


def test_an_edit_without_sources_fetches_nothing():
    assert gather_media([], lambda url, *, stop: pytest.fail("nothing to fetch")) == {}
