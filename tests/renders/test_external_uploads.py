"""Uploads of external workers: content checks, limits, fences and the removal of unused files."""

from __future__ import annotations

import io
import logging
import subprocess

import pytest
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from core.logs import SignedLinkFilter
from engine.run.binary import ffmpeg_path
from jobs.models import Job
from jobs.services import reap_expired
from renders.exceptions import UploadCutShort
from renders.external import uploads
from renders.external.pictures import make_pictures
from renders.models import ExternalLease, Render
from renders.requests import RenderRequest
from renders.services.cancel import cancel_render
from renders.services.storage import discard_files
from renders.services.submit import submit_render
from tests.api.test_problems import assert_problem
from tests.factories import make_edit
from tests.renders.external_worker import SECRET, ExternalWorkerClient, submit

pytestmark = [pytest.mark.django_db, pytest.mark.acceptance]


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.RENDEROWL_WORKER_SECRETS = {"default": (SECRET,)}


def make_film(folder, *, size="64x36", rate=10, seconds=1, suffix="mp4"):
    path = folder / f"film.{suffix}"
    source = ["-f", "lavfi", "-i", f"color=red:s={size}:r={rate}:d={seconds}", "-pix_fmt", "yuv420p"]
    command = [str(ffmpeg_path()), "-nostdin", "-v", "error", "-y", *source, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path.read_bytes()


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A video of the size, rate and length of the edit of `submit`."""
    return make_film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def worker_client():
    return ExternalWorkerClient()


@pytest.fixture
def job_spec(alice, worker_client):
    submit(alice)
    return worker_client.take()


def jpeg(width=64, height=36):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "jpeg")
    return buffer.getvalue()


def stored():
    folders, _ = default_storage.listdir("renders") if default_storage.exists("renders") else ([], [])
    return sorted(
        f"{attempt}/{name}"
        for folder in folders
        for attempt in default_storage.listdir(f"renders/{folder}")[0]
        for name in default_storage.listdir(f"renders/{folder}/{attempt}")[1]
    )


def test_upload_then_success_then_download(worker_client, job_spec, film, client):
    response = worker_client.upload(job_spec, film)
    assert response.status_code == 200, response.content
    assert {
        name: response.json()[name] for name in ("content_type", "width", "height", "duration_s", "size_bytes")
    } == {
        "content_type": "video/mp4",
        "width": 64,
        "height": 36,
        "duration_s": 1.0,
        "size_bytes": len(film),
    }
    assert worker_client.report(job_spec, "succeeded").json()["status"] == "succeeded"
    shown = client.get(f"/api/v2/renders/{job_spec['job']['render']}").json()
    assert shown["output"]["sha256"] == response.json()["sha256"]
    assert b"".join(client.get(shown["output"]["url"]).streaming_content) == film
    render = Render.objects.get()
    assert (shown["poster_url"], make_pictures(render_id=render.pk)) == (None, 2)
    assert make_pictures(render_id=render.pk) == 0
    shown = client.get(f"/api/v2/renders/{job_spec['job']['render']}").json()
    for name, size in (("poster_url", (64, 36)), ("thumbnail_url", (64, 36))):
        picture = Image.open(io.BytesIO(b"".join(client.get(shown[name]).streaming_content)))
        assert (picture.format, picture.size) == ("JPEG", size)
        assert picture.convert("RGB").getpixel((30, 18))[0] > 200


def test_uploaded_pictures_are_served(worker_client, job_spec, film, client):
    worker_client.upload(job_spec, film)
    assert worker_client.upload(job_spec, jpeg(), "poster").status_code == 200
    assert worker_client.upload(job_spec, jpeg(20, 10), "thumbnail").status_code == 200
    worker_client.report(job_spec, "succeeded")
    shown = client.get(f"/api/v2/renders/{job_spec['job']['render']}").json()
    picture = Image.open(io.BytesIO(b"".join(client.get(shown["thumbnail_url"]).streaming_content)))
    assert picture.size == (20, 10)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"size": "66x36"}, "wrong_size"),
        ({"seconds": 3}, "wrong_length"),
        ({"rate": 25}, "wrong_rate"),
        ({"suffix": "webm"}, "wrong_type"),
    ],
)
def test_an_output_that_does_not_match_the_edit_is_refused(worker_client, job_spec, tmp_path, terms, code):
    problem = assert_problem(worker_client.upload(job_spec, make_film(tmp_path, **terms)), 422, "validation_error")
    assert problem["errors"][0]["code"] == code
    assert (stored(), ExternalLease.objects.get().output) == ([], None)
    assert_problem(worker_client.report(job_spec, "succeeded"), 409, "invalid_state")


def test_a_length_unknown_from_the_edit_is_measured_and_charged(worker_client, alice, tmp_path):
    edit = make_edit()
    clip = {"asset": {"type": "video", "src": "https://media.example/clip.mp4"}, "start": 0, "length": "auto"}
    edit["timeline"]["tracks"] = [{"clips": [clip]}]
    submit_render(owner=alice, request=RenderRequest(edit=edit))
    job_spec = worker_client.take()
    assert (job_spec["output"]["duration_s"], job_spec["output"]["total_frames"]) == (None, None)
    assert worker_client.upload(job_spec, make_film(tmp_path, seconds=4)).status_code == 200
    worker_client.report(job_spec, "succeeded")
    render = Render.objects.get()
    assert (render.output_duration_s, render.total_frames, render.status) == (4.0, 40, "succeeded")


@pytest.mark.parametrize("content", [b"not a film", b"#EXTM3U\nfile:///etc/passwd\n", jpeg()])
def test_a_file_that_is_no_video_is_refused(worker_client, job_spec, content):
    assert_problem(worker_client.upload(job_spec, content), 422, "validation_error")
    assert stored() == []


def test_a_picture_must_be_a_jpeg(worker_client, job_spec, film):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "png")
    for content in (buffer.getvalue(), film, b"x"):
        assert_problem(worker_client.upload(job_spec, content, "poster"), 422, "validation_error")
    assert ExternalLease.objects.get().poster is None


def test_size_is_checked_before_a_byte_is_read(worker_client, job_spec, film, settings):
    settings.RENDEROWL_OUTPUT_LIMIT_BYTES = len(film) - 1
    problem = assert_problem(worker_client.upload(job_spec, film), 413, "payload_too_large")
    assert problem["limit_bytes"] == len(film) - 1
    assert_problem(
        worker_client.upload(job_spec, b"x" * (uploads.PICTURE_LIMIT_BYTES + 1), "poster"), 413, "payload_too_large"
    )


def test_an_upload_may_exceed_the_body_limit_of_the_api(worker_client, job_spec, film):
    padded = film + b"\0" * (3 * 1024 * 1024)
    assert worker_client.upload(job_spec, padded).status_code in (200, 422)


def test_content_length_is_required(worker_client, job_spec, film):
    url = job_spec["upload"]["output"]["url"]
    response = worker_client.client.generic("PUT", url, film, content_type="video/mp4", CONTENT_LENGTH="")
    assert_problem(response, 411, "length_required")
    assert stored() == []


def test_a_truncated_body_is_refused(worker_client, job_spec, film):
    upload = uploads.open_upload(job_spec["upload"]["output"]["url"].split("/")[-2])
    with pytest.raises(UploadCutShort):
        uploads.receive_upload(upload=upload, body=io.BytesIO(film), length=len(film) + 1)
    assert (stored(), ExternalLease.objects.get().output) == ([], None)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_allows_only_put(worker_client, job_spec, method):
    response = worker_client.client.generic(method, job_spec["upload"]["output"]["url"], b"x")
    assert_problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "PUT"


def test_an_altered_or_foreign_link_is_refused(worker_client, job_spec, film):
    token = job_spec["upload"]["output"]["url"].split("/")[-2]
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x", token.replace(":", "::")):
        url = reverse("file-upload", kwargs={"token": wrong, "name": "output.mp4"})
        assert_problem(worker_client.client.generic("PUT", url, film), 403, "signature_invalid")


def test_a_repeated_upload_replaces_the_file(worker_client, job_spec, film):
    for _ in range(2):
        assert worker_client.upload(job_spec, film).status_code == 200
    assert len(stored()) == 1
    assert default_storage.exists(ExternalLease.objects.get().output["key"])


def test_uploads_after_success_are_refused(worker_client, job_spec, film):
    worker_client.upload(job_spec, film)
    worker_client.report(job_spec, "succeeded")
    before = stored()
    assert_problem(worker_client.upload(job_spec, film), 410, "link_expired")
    assert stored() == before


def test_uploads_of_a_lost_worker_are_refused(worker_client, job_spec, film):
    Job.objects.update(lease_expires_at="2026-01-01T00:00:00Z")
    reap_expired()
    assert_problem(worker_client.upload(job_spec, film), 409, "stale_attempt")
    assert stored() == []


def test_uploads_for_a_cancelled_render_are_refused(worker_client, job_spec, film):
    cancel_render(render=Render.objects.get())
    assert_problem(worker_client.upload(job_spec, film), 409, "stale_attempt")
    assert stored() == []


def test_an_upload_is_discarded_if_its_attempt_is_lost_meanwhile(worker_client, job_spec, film, monkeypatch):
    """The lease expires between the last byte and the write to the row."""
    publish = uploads.publish_file

    def lose(**arguments):
        key = publish(**arguments)
        Job.objects.update(status="queued", worker="")
        return key

    monkeypatch.setattr(uploads, "publish_file", lose)
    assert_problem(worker_client.upload(job_spec, film), 409, "stale_attempt")
    assert (stored(), ExternalLease.objects.get().output) == ([], None)


def test_a_slow_upload_renews_its_lease(worker_client, job_spec, film, monkeypatch):
    monkeypatch.setattr(uploads, "lease_s", lambda: 1e-6)
    monkeypatch.setattr(uploads, "BLOCK_BYTES", 256)
    renewals = []
    renew = uploads.renew_lease
    monkeypatch.setattr(uploads, "renew_lease", lambda **terms: renewals.append(1) or renew(**terms))
    assert worker_client.upload(job_spec, film).status_code == 200
    assert len(renewals) >= len(film) // 256


def test_a_failed_attempt_leaves_no_files(worker_client, job_spec, film, alice):
    worker_client.upload(job_spec, film)
    error = {"code": "late_trouble", "message": "x", "retryable": False}
    worker_client.report(job_spec, "failed", error=error)
    job = Job.objects.get(type="renders.discard_files")
    assert job.payload["render"] == str(Render.objects.get().pk)
    assert discard_files(render_id=Render.objects.get().pk) == 1
    assert stored() == []


def test_upload_tokens_are_not_logged():
    record = logging.LogRecord("x", 20, "f", 1, "PUT /files/uploads/SECRET:1:2/output.mp4", (), None)
    SignedLinkFilter().filter(record)
    assert "SECRET" not in record.getMessage()
