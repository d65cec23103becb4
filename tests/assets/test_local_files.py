"""Local copies of the files of assets, and housekeeping of temporary files."""

from __future__ import annotations

import hashlib
import os

import pytest

from assets.exceptions import AssetNotReady
from assets.job_types import HOUSEKEEPING_JOB
from assets.local_files import copy_to_folder, file_cache
from assets.models import Asset
from files.storage.local import LocalStorage
from jobs.models import Job
from jobs.services import enqueue
from tests.factories import make_asset
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


class RemoteStorage(LocalStorage):
    """A storage without local paths, like a bucket; counts the reads."""

    reads = 0

    def local_path(self, key):
        return None

    def read_range(self, key, start, length):
        RemoteStorage.reads += 1
        return super().read_range(key, start, length)


@pytest.fixture
def remote(settings, media_root):
    RemoteStorage.reads = 0
    remote = {"BACKEND": f"{__name__}.RemoteStorage", "OPTIONS": {"location": str(media_root)}}
    settings.STORAGES = {**settings.STORAGES, "default": remote}


def test_a_local_file_is_linked_not_copied(alice, tmp_path, media_root) -> None:
    asset = make_asset(alice, content=b"film")
    path = copy_to_folder(asset, tmp_path)
    assert path.read_bytes() == b"film"
    assert path.parent == tmp_path
    assert path.samefile(media_root / asset.storage_key)
    assert copy_to_folder(asset, tmp_path) == path


def test_a_remote_file_is_fetched_once(alice, tmp_path, remote) -> None:
    asset = make_asset(alice, content=b"film")
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert copy_to_folder(asset, folder).read_bytes() == b"film"
    assert RemoteStorage.reads == 1
    assert file_cache().take(hashlib.sha256(b"film").hexdigest(), tmp_path / "again")


def test_a_damaged_file_is_not_used(alice, tmp_path, remote, media_root) -> None:
    asset = make_asset(alice, content=b"film")
    (media_root / asset.storage_key).write_bytes(b"fiLm")
    with pytest.raises(OSError, match="damaged"):
        copy_to_folder(asset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert not file_cache().take(asset.sha256, tmp_path / "again")


def test_a_file_missing_from_the_storage_raises(alice, tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_to_folder(make_asset(alice), tmp_path)


def test_an_asset_without_a_file_is_not_ready(alice, tmp_path) -> None:
    with pytest.raises(AssetNotReady):
        copy_to_folder(Asset.objects.create(owner=alice, name="x"), tmp_path)


def test_housekeeping_deletes_old_temporary_files(settings) -> None:
    scratch = settings.DATA_DIR / "tmp"
    scratch.mkdir(parents=True)
    for name in ("asset-old", "asset-new"):
        (scratch / name).mkdir()
    os.utime(scratch / "asset-old", (1, 1))
    enqueue(type=HOUSEKEEPING_JOB)
    run_pending()
    assert [path.name for path in scratch.iterdir()] == ["asset-new"]
    assert Job.objects.get().result == {"deleted": 1, "dropped": 0}
