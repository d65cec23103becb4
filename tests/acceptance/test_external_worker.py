"""An external worker, over HTTP alone: a real server, real processes, real FFmpeg."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys

import av
import pytest
import requests
from django.core.management import CommandError, call_command
from PIL import Image

from outbound.signing import new_secret
from tests.acceptance.installation import Installation
from tests.commands import ROOT
from tests.factories import make_edit

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(200)]
SECRET = new_secret()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server, and a local worker that runs all jobs except renders."""
    folder = tmp_path_factory.mktemp("worker_client")
    site = Installation(folder, RENDER_WEBHOOK_SECRETS=f"gpu={SECRET}", JOBS_LEASE_S="2", SIGNUP_PLAN="creator")
    try:
        site.start_server()
        site.start(sys.executable, "manage.py", "run_worker", "--queues", "default,maintenance", log="local")
        yield site
    finally:
        site.stop()


@pytest.fixture(scope="module")
def worker_key(site):
    minted = site.manage(
        *(
            "create_api_key",
            "worker_client",
            "--create-user",
            "--scopes",
            "workers:report",
            "--type",
            "worker",
            "--json",
        )
    )
    key = json.loads(minted)["key"]
    assert key.startswith("ro_wrk_")
    return key


@pytest.fixture
def start_farm(site, worker_key, tmp_path):
    """Start a worker that has only the server's address, a key and a secret."""
    started = []

    def start(name="gpu-1"):
        env = {
            **{name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "STORAGE_URL"}},
            "DATA_DIR": str(tmp_path / name),
            "DATABASE_URL": f"sqlite:///{tmp_path}/nothing.sqlite3",
            "WORKER_KEY": worker_key,
            "WORKER_SECRET": SECRET,
        }
        command = [sys.executable, "manage.py", "run_external_worker", "--url", site.base, "--name", name]
        with (site.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen([*command, "--poll-s", "0.2"], cwd=ROOT, env=env, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=20)
    leftovers = list(tmp_path.glob("*/external/*"))
    assert [path for path in leftovers if "killed" not in str(path)] == []
    with sqlite3.connect(tmp_path / "nothing.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def long_edit():
    edit = make_edit(length=120)
    edit["timeline"]["tracks"][0]["clips"][0]["effect"] = "zoomIn"
    edit["output"] = {"format": "mp4", "size": {"width": 640, "height": 360}, "fps": 60}
    return edit


def test_an_external_worker_renders_and_uploads(site, start_farm):
    buffer = io.BytesIO()
    Image.new("RGB", (320, 180), (255, 0, 0)).save(buffer, "png")
    asset = site.call("POST", "/api/v2/assets", 201, files={"file": ("red.png", buffer.getvalue())})
    edit = make_edit(size={"width": 320, "height": 180}, fps=25)
    clip = {"asset": {"type": "image", "src": f"asset:{asset['id']}"}, "start": 0, "length": 2}
    edit["timeline"]["tracks"] = [{"clips": [clip]}]
    submitted = site.submit(edit)
    start_farm()
    render = site.finished(submitted["id"])
    assert render["status"] == "succeeded", render
    assert (render["output"]["width"], render["output"]["duration_s"], render["progress"]["frame"]) == (320, 2.0, 50)
    content = requests.get(render["output"]["url"], timeout=30).content
    with av.open(io.BytesIO(content)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    assert len(frames) == 50
    assert frames[25].getpixel((160, 90))[0] > 240
    for name in ("poster_url", "thumbnail_url"):
        assert Image.open(io.BytesIO(requests.get(render[name], timeout=30).content)).format == "JPEG"
    assert render["credits"]["charged"] == "0.01"
    ((reports,),) = site.query("SELECT reports FROM renders_externallease WHERE worker LIKE '%:gpu-1'")
    assert reports >= 2


def test_a_killed_worker_is_replaced_and_a_cancel_reaches_the_next(site, start_farm):
    submitted = site.submit(long_edit())
    first = start_farm("killed")
    site.wait(lambda: site.render(submitted["id"])["status"] == "rendering", seconds=40)
    first.send_signal(signal.SIGKILL)
    start_farm("gpu-2")
    site.wait(
        lambda: (found := site.render(submitted["id"]))["status"] == "rendering" and found["progress"]["attempt"] == 2,
        seconds=40,
    )
    site.call("POST", f"/api/v2/renders/{submitted['id']}/cancel", 202)
    render = site.finished(submitted["id"], seconds=20)
    assert (render["status"], render["credits"]["charged"]) == ("cancelled", "0.00")
    job_id = site.query("SELECT job_id FROM renders_externallease WHERE attempt = 2")[0][0]
    outcomes = site.query(f"SELECT outcome FROM jobs_jobattempt WHERE job_id = '{job_id}' ORDER BY number")
    assert [outcome for (outcome,) in outcomes] == ["lost", "cancelled"]
    # The worker is free for the next render at once.
    quick = site.submit(make_edit())
    assert site.finished(quick["id"])["status"] == "succeeded"


def test_a_worker_with_a_wrong_key_exits_with_the_reason(site):
    with pytest.raises(CommandError, match="401 unauthenticated"):
        call_command("run_external_worker", url=site.base, key="ro_wrk_x", secret=SECRET, once=True)
