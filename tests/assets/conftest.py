"""Fixtures of assets: a separate storage for each test, and small media files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from engine.run.binary import ffmpeg_path
from tests.factories import make_api_key, make_user


@pytest.fixture(autouse=True)
def media_root(settings, tmp_path) -> Path:
    """The folder that files are stored in; DATA_DIR is its parent."""
    root = tmp_path / "data" / "media"
    settings.DATA_DIR = root.parent
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(root)}},
    }
    return root


@pytest.fixture(scope="session")
def samples(tmp_path_factory) -> Path:
    """A folder with red.png, clear.png, clip.mp4 (2 s, 320x180, 25 fps, with sound) and tone.mp3."""
    folder = tmp_path_factory.mktemp("samples")
    Image.new("RGB", (800, 400), (255, 0, 0)).save(folder / "red.png")
    Image.new("RGBA", (40, 20), (0, 0, 255, 128)).save(folder / "clear.png")
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"]
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", *tone, "-shortest", folder / "clip.mp4")
    run_ffmpeg(*tone, folder / "tone.mp3")
    return folder


def run_ffmpeg(*arguments: object) -> None:
    command = [str(ffmpeg_path()), "-nostdin", "-v", "error", "-y", *(str(argument) for argument in arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture
def stored_files(media_root) -> Callable[[], list[str]]:
    """A function that lists all files of the storage."""
    return lambda: sorted(str(path.relative_to(media_root)) for path in media_root.rglob("*") if path.is_file())


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def client(api, alice):
    api.credentials(HTTP_X_API_KEY=make_api_key(alice))
    return api


def upload(client, content, name="clip.mp4", version=2, **fields):
    file = SimpleUploadedFile(name, content, content_type="application/octet-stream")
    return client.post(f"/api/v{version}/assets", {"file": file, **fields}, format="multipart")
