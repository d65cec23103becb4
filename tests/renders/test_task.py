"""The job handler of renders, with real FFmpeg, in this process."""

from __future__ import annotations

import http.server
import subprocess
import threading

import av
import pytest
from django.core.files.storage import default_storage

from credits.models import CreditAccount, CreditEntry
from credits.selectors import check_ledger
from credits.services import reserve
from engine.run import process
from engine.run.binary import ffmpeg_path
from jobs.models import Job
from jobs.services import cancel_job
from renders.execution.folders import sweep_folders, work_root
from renders.models import Render
from renders.requests import RenderRequest
from renders.services.cancel import cancel_render
from renders.services.storage import discard_files
from renders.services.submit import submit_render
from tests.factories import make_asset, make_edit, make_render
from tests.jobs.inline import run_pending

pytestmark = [pytest.mark.django_db, pytest.mark.acceptance]


@pytest.fixture(autouse=True)
def no_waiting(settings):
    """Retries are due immediately."""
    settings.RENDEROWL_JOBS_RETRY_BASE_S = 0.0


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    """12 s of red, 64x36."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    source = ["-f", "lavfi", "-i", "color=red:s=64x36:r=10:d=12", "-pix_fmt", "yuv420p"]
    command = [str(ffmpeg_path()), "-nostdin", "-v", "error", "-y", *source, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path.read_bytes()


@pytest.fixture
def flaky(film, settings):
    """A server that responds with the statuses in its list, then with the film."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = self.server.statuses.pop(0) if self.server.statuses else 200
            body = film if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.statuses = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.RENDEROWL_FETCH_ALLOW_HOSTS = [("127.0.0.1", server.server_port)]
    server.url = f"http://127.0.0.1:{server.server_port}/film.mp4"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def film_edit(url, **output):
    edit = make_edit(**output)
    edit["timeline"]["tracks"] = [{"clips": [{"asset": {"type": "video", "src": url}, "start": 0, "length": "auto"}]}]
    return edit


def submit(alice, edit, **members):
    return submit_render(owner=alice, request=RenderRequest(edit=edit, **members))


def run(render):
    run_pending()
    render.refresh_from_db()
    return render


def balance(alice):
    assert list(check_ledger()) == []
    return CreditAccount.objects.get(user=alice).balance


def test_renders_and_stores_the_output(alice, media_root):
    render = run(submit(alice, make_edit(length=1.5)))
    assert (render.status, render.error) == ("succeeded", None)
    assert (render.output_width, render.output_height, render.output_fps) == (64, 36, 10.0)
    assert (render.frame, render.total_frames, render.percent) == (15, 15, 100.0)
    with default_storage.open(render.output_key) as file, av.open(file) as container:
        assert sum(1 for _ in container.decode(video=0)) == 15
    assert default_storage.size(render.output_key) == render.output_size_bytes
    assert Job.objects.get(pk=render.job_id).status == "succeeded"
    assert render.timings["render"] > 0
    assert "attempt 1" in render.log
    stored = sorted(path.name for path in media_root.rglob("*") if path.is_file())
    assert stored == ["output.mp4", "poster.jpg", "thumbnail.jpg"]
    assert list(work_root().iterdir()) == []


@pytest.mark.parametrize(
    ("output", "start"),
    [
        ({"format": "gif"}, b"GIF8"),
        ({"format": "jpg"}, b"\xff\xd8"),
        ({"format": "png"}, b"\x89PNG"),
        ({"format": "webm"}, b"\x1aE\xdf\xa3"),
    ],
)
def test_renders_other_formats(alice, output, start):
    render = run(submit(alice, make_edit(**output)))
    assert render.status == "succeeded", render.error
    with default_storage.open(render.output_key) as file:
        assert file.read(len(start)) == start


def test_retries_when_a_server_fails(alice, flaky):
    flaky.statuses = [503, 503]
    render = run(submit(alice, film_edit(flaky.url)))
    assert (render.status, render.attempt) == ("succeeded", 3)
    assert CreditEntry.objects.filter(kind="settle").count() == 1


def test_gives_up_after_three_failures_and_refunds(alice, flaky):
    flaky.statuses = [503] * 9
    render = run(submit(alice, film_edit(flaky.url)))
    assert (render.status, render.attempt, render.credits_charged) == ("failed", 3, 0)
    assert render.error["code"] == "http_503"
    assert render.error["pointer"] == "/edit/timeline/tracks/0/clips/0/asset/src"
    assert (render.error["retryable"], render.error["attempt"]) == (True, 3)
    assert len(flaky.statuses) == 6
    assert balance(alice) == 1000
    assert Job.objects.get(pk=render.job_id).status == "dead"


def test_does_not_retry_a_permanent_failure(alice, flaky):
    flaky.statuses = [404] * 9
    render = run(submit(alice, film_edit(flaky.url)))
    assert (render.status, render.attempt, render.error["code"]) == ("failed", 1, "http_404")
    assert len(flaky.statuses) == 8
    assert balance(alice) == 1000


def test_a_failure_caused_by_the_edit_is_not_dead_lettered(alice, flaky):
    flaky.statuses = [404]
    render = run(submit(alice, film_edit(flaky.url)))
    job = Job.objects.get(pk=render.job_id)
    assert (render.status, job.status, job.attempts) == ("failed", "succeeded", 1)
    assert job.result == {"render": render.public_id, "failed": "http_404"}


def test_charges_for_the_actual_length(alice, flaky):
    size = {"width": 640, "height": 360}
    render = submit(alice, film_edit(flaky.url, size=size, fps=30))
    # The estimate of 10 s of 640x360 at 30 frames a second is 0.0185 credits; the actual 12 s cost 0.0222.
    assert render.credits_reserved == 2
    render = run(render)
    assert (render.status, render.credits_reserved, render.credits_charged) == ("succeeded", 3, 3)
    assert balance(alice) == 1000 - 3


def test_fails_before_rendering_if_the_owner_cannot_pay(alice, flaky):
    render = submit(alice, film_edit(flaky.url, size={"width": 640, "height": 360}, fps=30))
    reserve(user_id=alice.pk, amount=998, reference="test:other")
    render = run(render)
    assert (render.status, render.error["code"]) == ("failed", "insufficient_credits")
    assert balance(alice) == 2


def test_strict_refuses_warnings_that_only_the_worker_finds(alice, flaky):
    edit = film_edit(flaky.url)
    edit["timeline"]["tracks"][0]["clips"][0]["length"] = 20
    relaxed = run(submit(alice, edit))
    assert relaxed.status == "succeeded"
    assert [warning["pointer"] for warning in relaxed.warnings] == ["/edit/timeline/tracks/0/clips/0/length"]
    strict = run(submit(alice, edit, strict=True))
    assert (strict.status, strict.error["code"]) == ("failed", "edit_invalid")
    assert strict.error["pointer"] == "/edit/timeline/tracks/0/clips/0/length"


def test_notes_are_recorded_and_not_refused_by_strict(alice, client):
    srt = "1\n00:00:00,000 --> 00:00:01,000\nCafé déjà vu\n".encode("cp1252")
    asset = make_asset(
        alice, content=srt, kind="subtitle", content_type="application/x-subrip", probe={"duration_s": 1.0}
    )
    edit = make_edit()
    clip = {"asset": {"type": "caption", "src": f"asset:{asset.public_id}"}, "start": 0, "length": 1}
    edit["timeline"]["tracks"] = [{"clips": [clip]}]
    render = run(submit(alice, edit, strict=True))
    assert (render.status, render.error, render.warnings) == ("succeeded", None, [])
    (note,) = render.notes
    assert (note["pointer"], note["code"]) == ("/edit/timeline/tracks/0/clips/0/asset/src", "encoding_guessed")
    assert f"note {note['pointer']}: {note['detail']} (encoding_guessed)" in render.log
    for version in (1, 2):
        assert client.get(f"/api/v{version}/renders/{render.public_id}").json()["notes"] == [note]


def test_a_render_cancelled_before_its_claim_is_not_started(alice):
    render = submit(alice, make_edit())
    cancel_render(render=render)
    assert run(render).status == "cancelled"
    assert render.attempt == 0


def test_a_cancellation_is_finished_by_the_next_worker_if_the_first_died(alice):
    render = submit(alice, make_edit())
    Render.objects.filter(pk=render.pk).update(status="cancelling", attempt=1)
    assert run(render).status == "cancelled"
    assert Job.objects.get(pk=render.job_id).status == "cancelled"
    assert balance(alice) == 1000


def test_cancelling_the_job_cancels_the_render(alice):
    render = submit(alice, make_edit())
    cancel_job(job_id=render.job_id)
    render.refresh_from_db()
    assert render.status == "cancelled"
    assert balance(alice) == 1000


def test_a_failed_rasterizer_fails_the_render(alice, monkeypatch):
    monkeypatch.setattr(process, "LAUNCHER", process.LAUNCHER.with_name("missing.py"))
    render = run(submit(alice, make_edit()))
    assert (render.status, render.attempt) == ("failed", 3)
    assert render.error["code"] == "ffmpeg_failed"
    assert balance(alice) == 1000


def test_sweeping_removes_the_folders_of_other_attempts(alice):
    running = make_render(alice, status="rendering", attempt=2)
    done = make_render(alice, status="succeeded")
    root = work_root()
    keep = root / f"{running.public_id}-2"
    gone = [root / f"{running.public_id}-1", root / f"{done.public_id}-1"]
    foreign = root / "notes"
    for folder in (keep, foreign, *gone):
        folder.mkdir(parents=True)
    assert sweep_folders() == 2
    assert sorted(root.iterdir()) == sorted([keep, foreign])


def test_discarding_files_keeps_those_in_use(alice, media_root):
    render = make_render(alice, status="succeeded", attempt=2)
    root = media_root / "renders" / render.public_id
    for attempt in (1, 2):
        (root / str(attempt)).mkdir(parents=True)
        (root / str(attempt) / "output.mp4").write_bytes(b"x")
    assert discard_files(render_id=render.pk) == 1
    assert [path.name for path in root.iterdir()] == ["2"]
    render_id = render.pk
    render.delete()
    assert discard_files(render_id=render_id) == 1
    assert not root.exists()
