"""Bucket storage on a local S3 server, over real HTTP."""

from __future__ import annotations

import boto3
import pytest
from django.test import Client
from moto.server import ThreadedMotoServer

from files.links import signed_path
from files.storage import blob_store
from files.storage.bucket import BucketStorage
from renderowl.storages import storages_from_url

pytestmark = [pytest.mark.acceptance, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
BODY = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def bucket(endpoint, settings, monkeypatch, tmp_path):
    """A new bucket, configured by STORAGE_URL."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    name = f"films-{tmp_path.name.lower().replace('_', '-')}"[:60].strip("-")
    client.create_bucket(Bucket=name)
    url = f"s3://{name}?endpoint={endpoint}&region=us-east-1&prefix=owl"
    settings.STORAGES = storages_from_url(url, tmp_path)
    yield client, name
    client.close()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(BODY)
    return path


def test_a_published_file_is_private_and_has_its_type(bucket, source) -> None:
    client, name = bucket
    blob_store().publish(source, "a/b.mp4", content_type="video/mp4")
    stored = client.get_object(Bucket=name, Key="owl/a/b.mp4")
    assert stored["Body"].read() == BODY
    assert stored["ContentType"] == "video/mp4"
    grants = client.get_object_acl(Bucket=name, Key="owl/a/b.mp4")["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"]


def test_any_range_can_be_read(source) -> None:
    store = blob_store()
    assert isinstance(store, BucketStorage) or store._wrapped.__class__ is BucketStorage
    store.publish(source, "a/b.mp4", content_type="video/mp4")
    assert store.size("a/b.mp4") == len(BODY)
    for start, length in ((0, len(BODY)), (10, 20), (len(BODY) - 1, 1), (5, 0)):
        assert b"".join(store.read_range("a/b.mp4", start, length)) == BODY[start : start + length]
    assert store.local_path("a/b.mp4") is None


def test_a_missing_file_raises_file_not_found(source) -> None:
    store = blob_store()
    with pytest.raises(FileNotFoundError):
        store.size("x")
    with pytest.raises(FileNotFoundError):
        store.read_range("x", 0, 5)
    store.delete("x")
    store.publish(source, "x", content_type="video/mp4")
    assert store.exists("x")
    store.delete("x")
    assert not store.exists("x")


def test_a_signed_link_serves_ranges_from_the_bucket(source) -> None:
    blob_store().publish(source, "a/b.mp4", content_type="video/mp4")
    link = signed_path(key="a/b.mp4", content_type="video/mp4", filename="b.mp4", tag="t").url
    response = Client().get(link, headers={"Range": "bytes=1000-1999"})
    assert (response.status_code, response["Content-Range"]) == (206, f"bytes 1000-1999/{len(BODY)}")
    assert b"".join(response.streaming_content) == BODY[1000:2000]
    blob_store().delete("a/b.mp4")
    assert Client().get(link).status_code == 404
