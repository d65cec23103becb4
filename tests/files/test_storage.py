"""File storage: `STORAGE_URL`, the directory, the cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile

from assets.housekeeping import delete_old_files
from files.cache import FileCache
from files.storage.local import LocalStorage
from renderowl.storages import storages_from_url

BASE = Path("/srv/owl")


def options(url):
    return storages_from_url(url, BASE)["default"]["OPTIONS"]


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("file://var/media", "/srv/owl/var/media"),
        ("file:///data/media", "/data/media"),
        ("file://media", "/srv/owl/media"),
        ("file:///data/my%20media", "/data/my media"),
    ],
)
def test_a_directory_is_relative_to_the_project_or_absolute(url, location) -> None:
    assert options(url) == {"location": location}


def test_a_bucket_has_its_endpoint_region_and_prefix() -> None:
    found = options("s3://films?endpoint=http://127.0.0.1:9000&region=eu-west-1&prefix=owl/")
    assert found["bucket_name"] == "films"
    assert found["endpoint_url"] == "http://127.0.0.1:9000"
    assert (found["region_name"], found["location"]) == ("eu-west-1", "owl")
    assert found["addressing_style"] == "path"
    assert options("s3://films/owl")["location"] == "owl"
    assert options("s3://films")["endpoint_url"] is None


@pytest.mark.parametrize(
    "url", ["", "var/media", "ftp://x/y", "file://", "file://x?y=1", "s3://", "s3://b?ednpoint=x", "s3://a:b@bucket"]
)
def test_an_invalid_storage_url_stops_the_start(url) -> None:
    with pytest.raises(ImproperlyConfigured, match="STORAGE_URL"):
        storages_from_url(url, BASE)


class TestDirectory:
    """Local storage."""

    @pytest.fixture
    def storage(self, tmp_path) -> LocalStorage:
        return LocalStorage(location=tmp_path / "media")

    @pytest.fixture
    def source(self, tmp_path) -> Path:
        path = tmp_path / "source"
        path.write_bytes(b"0123456789")
        return path

    def test_any_range_of_a_published_file_can_be_read(self, storage, source) -> None:
        storage.publish(source, "a/b/c.bin", content_type="video/mp4")
        assert b"".join(storage.read_range("a/b/c.bin", 0, 10)) == b"0123456789"
        assert b"".join(storage.read_range("a/b/c.bin", 3, 4)) == b"3456"
        assert b"".join(storage.read_range("a/b/c.bin", 10, 0)) == b""
        assert (storage.size("a/b/c.bin"), source.exists()) == (10, True)

    def test_a_file_that_cannot_be_linked_is_copied(self, storage, source, monkeypatch) -> None:
        def refuse(*args, **kwargs):
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "link", refuse)
        storage.publish(source, "a/c.bin", content_type="video/mp4")
        assert b"".join(storage.read_range("a/c.bin", 0, 10)) == b"0123456789"

    def test_a_file_appears_completely_or_not_at_all(self, storage, source, tmp_path, monkeypatch) -> None:
        def fail(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            storage.publish(source, "a/c.bin", content_type="video/mp4")
        with pytest.raises(OSError, match="No space"):
            storage.save("a/d.bin", ContentFile(b"x"))
        assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []

    def test_a_file_is_synced_before_it_gets_its_name(self, storage, source, monkeypatch) -> None:
        seen = []
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: (seen.append(storage.exists("a/c.bin")), real(fd))[1])
        storage.publish(source, "a/c.bin", content_type="video/mp4")
        assert seen == [False, True]

    def test_deletion_removes_the_file_and_its_empty_folders(self, storage, source, tmp_path) -> None:
        storage.publish(source, "a/b/c.bin", content_type="video/mp4")
        storage.publish(source, "a/d.bin", content_type="video/mp4")
        storage.delete("a/b/c.bin")
        storage.delete("a/b/c.bin")
        assert not (tmp_path / "media/a/b").exists()
        assert storage.exists("a/d.bin")
        storage.delete("a/d.bin")
        assert list((tmp_path / "media").iterdir()) == []

    def test_a_missing_file_raises_file_not_found(self, storage) -> None:
        for call in (lambda: storage.size("x"), lambda: storage.read_range("x", 0, 1)):
            with pytest.raises(FileNotFoundError):
                call()

    @pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../x"])
    def test_no_key_leads_out_of_the_directory(self, storage, source, key) -> None:
        from django.core.exceptions import SuspiciousFileOperation

        with pytest.raises(SuspiciousFileOperation):
            storage.publish(source, key, content_type="video/mp4")


class TestCache:
    """FileCache."""

    def put(self, cache, tmp_path, letter, size=100, age=0.0) -> str:
        source = tmp_path / f"source-{letter}"
        source.write_bytes(letter.encode() * size)
        sha256 = letter * 64
        cache.add(source, sha256)
        if age:
            path = next((tmp_path / "cache").glob(f"??/{sha256}"))
            stamp = path.stat().st_mtime - age
            os.utime(path, (stamp, stamp))
        return sha256

    def test_returns_added_files(self, tmp_path) -> None:
        cache = FileCache(tmp_path / "cache", 1000)
        sha256 = self.put(cache, tmp_path, "a")
        assert cache.take(sha256, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b"a" * 100
        assert not cache.take("b" * 64, tmp_path / "none")
        assert not (tmp_path / "none").exists()

    def test_evicts_the_least_recently_used(self, tmp_path) -> None:
        cache = FileCache(tmp_path / "cache", 250)
        old, older = self.put(cache, tmp_path, "a", age=100), self.put(cache, tmp_path, "b", age=200)
        assert cache.take(older, tmp_path / "used")
        new = self.put(cache, tmp_path, "c")
        assert not cache.take(old, tmp_path / "1")
        assert cache.take(older, tmp_path / "2")
        assert cache.take(new, tmp_path / "3")

    def test_a_taken_file_survives_its_eviction(self, tmp_path) -> None:
        cache = FileCache(tmp_path / "cache", 150)
        evicted = self.put(cache, tmp_path, "a", age=100)
        cache.take(evicted, tmp_path / "mine")
        os.utime(next((tmp_path / "cache").glob(f"??/{evicted}")), (1, 1))
        self.put(cache, tmp_path, "b")
        assert not cache.take(evicted, tmp_path / "other")
        assert (tmp_path / "mine").read_bytes() == b"a" * 100

    def test_does_not_evict_everything_for_one_giant(self, tmp_path) -> None:
        cache = FileCache(tmp_path / "cache", 250)
        small = self.put(cache, tmp_path, "a")
        giant = self.put(cache, tmp_path, "b", size=300)
        assert cache.take(small, tmp_path / "1")
        assert not cache.take(giant, tmp_path / "2")

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63])
    def test_only_hashes_are_names(self, tmp_path, name) -> None:
        with pytest.raises(ValueError, match="SHA-256"):
            FileCache(tmp_path, 10).take(name, tmp_path / "x")


def test_only_old_leftovers_are_swept(tmp_path) -> None:
    for name in ("old-file", "new-file"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("old-folder", "new-folder"):
        (tmp_path / name).mkdir()
    for name in ("old-file", "old-folder"):
        os.utime(tmp_path / name, (1, 1))
    assert delete_old_files(tmp_path, before=1000) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new-file", "new-folder"]
    assert delete_old_files(tmp_path / "missing", before=1000) == 0
