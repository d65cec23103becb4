"""From POST to file: a real server, a real worker, real FFmpeg, on both databases."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import os
import signal
import struct
import subprocess
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest
import requests
from PIL import Image

from engine.run.binary import ffmpeg_path
from tests.acceptance.installation import Installation, postgres_database
from tests.factories import make_edit

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(280)]
RED, BLUE = (255, 0, 0), (0, 0, 255)


def run_ffmpeg(*arguments: object) -> None:
    command = [str(ffmpeg_path()), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def frames_of(content: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(content)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def is_close(pixel: tuple[int, ...], color: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 12 for a, b in zip(pixel, color, strict=True))


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    """A folder with red.mp4 (2 s, sound), blue.png and hostile files."""
    folder = tmp_path_factory.mktemp("media")
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"]
    red = ["-f", "lavfi", "-i", "color=red:s=320x180:r=25:d=2"]
    run_ffmpeg(*red, *tone, "-shortest", "-pix_fmt", "yuv420p", folder / "red.mp4")
    Image.new("RGB", (320, 180), BLUE).save(folder / "blue.png")
    (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    (folder / "text.mp4").write_text("not a video")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "cut.mp4").write_bytes((folder / "red.mp4").read_bytes()[:2000])
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (folder / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    return folder


@pytest.fixture(scope="module")
def web(media):
    """The address of a server with the media."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(media)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request, tmp_path_factory, web):
    """An installation with server and worker."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres_database()) if request.param == "postgres" else ""
        allowed = web.removeprefix("http://")
        folder = tmp_path_factory.mktemp(request.param)
        site = Installation(folder, database_url=url, FETCH_ALLOW_HOSTS=allowed, JOBS_LEASE_S="2", SIGNUP_CREDITS="50")
        stack.callback(site.stop)
        site.start_server()
        site.start_worker()
        yield site


def clip_edit(*clips, **output):
    settings = {"format": "mp4", "size": {"width": 320, "height": 180}, "fps": 25, **output}
    return {"timeline": {"tracks": [{"clips": list(clips)}]}, "output": settings}


def long_edit(seconds=12):
    title = {"type": "title", "text": "owl", "style": "minimal"}
    return clip_edit({"asset": title, "start": 0, "length": seconds, "effect": "zoomIn"}, resolution="sd")


def test_renders_uploads_and_urls(site, media, web):
    with (media / "red.mp4").open("rb") as file:
        asset = site.call("POST", "/api/v2/assets", 201, files={"file": ("red.mp4", file)})
    edit = clip_edit(
        {"asset": {"type": "video", "src": f"asset:{asset['id']}"}, "start": 0, "length": "auto"},
        {"asset": {"type": "image", "src": f"{web}/blue.png"}, "start": "auto", "length": 1},
    )
    render = site.finished(site.submit(edit)["id"])
    assert render["status"] == "succeeded", render
    output = render["output"]
    answer = requests.get(output["url"], timeout=30)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.content) == output["size_bytes"]
    part = requests.get(output["url"], headers={"Range": "bytes=4-7"}, timeout=30)
    assert (part.status_code, part.content) == (206, b"ftyp")
    frames = frames_of(answer.content)
    assert (len(frames), frames[0].size) == (75, (320, 180))
    assert is_close(frames[25].getpixel((160, 90)), (254, 0, 0))
    assert is_close(frames[60].getpixel((160, 90)), (0, 0, 254))
    with av.open(io.BytesIO(answer.content)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
    assert (output["duration_s"], output["fps"], output["width"]) == (3.0, 25.0, 320)
    # 3 s of 320x180 at 25 frames a second are 0.0012 credits, rounded up to the minimum.
    assert render["credits"] == {"reserved": "0.01", "charged": "0.01"}
    for name in ("poster_url", "thumbnail_url"):
        picture = Image.open(io.BytesIO(requests.get(render[name], timeout=30).content))
        assert picture.format == "JPEG"
    assert site.leftovers() == []
    assert site.call("GET", f"/api/v2/assets/{asset['id']}", 200)["references"] == 0
    site.call("DELETE", f"/api/v2/assets/{asset['id']}", 204)


def test_a_client_that_prefers_to_wait_gets_the_finished_render(site):
    answer = site.session.post(
        f"{site.base}/api/v2/renders", json={"edit": make_edit(length=0.5)}, headers={"Prefer": "wait=30"}, timeout=60
    )
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=30"), answer.text
    render = answer.json()
    assert (render["status"], render["progress"]["percent"]) == ("succeeded", 100)
    assert answer.headers["Location"].endswith(render["id"])
    assert frames_of(requests.get(render["output"]["url"], timeout=30).content)
    # The waiting time does not count as the server's.
    took_ms = float(answer.headers["Server-Timing"].removeprefix("app;dur="))
    assert took_ms < answer.elapsed.total_seconds() * 1000


def test_charges_the_true_length_of_a_clip_of_unknown_length(site, media, web):
    # 2 s of 1080p at 30 frames a second are 1/30 of a credit. Ten seconds were assumed.
    edit = clip_edit(
        {"asset": {"type": "video", "src": f"{web}/red.mp4"}, "start": 0, "length": "auto"},
        size={"width": 1920, "height": 1080},
        fps=30,
        quality="verylow",
    )
    before = float(site.call("GET", "/api/v2/credits/balance", 200)["balance"])
    submitted = site.submit(edit)
    assert submitted["credits"]["reserved"] == "0.17"
    render = site.finished(submitted["id"])
    assert render["credits"]["charged"] == "0.04"
    after = float(site.call("GET", "/api/v2/credits/balance", 200)["balance"])
    assert round(before - after, 2) == 0.04


@pytest.mark.parametrize("name", ["list.mp4", "text.mp4", "empty.mp4", "cut.mp4", "vast.png", "missing.mp4"])
def test_a_hostile_source_fails_the_render_and_nothing_else(site, web, name):
    kind = "image" if name.endswith("png") else "video"
    edit = clip_edit({"asset": {"type": kind, "src": f"{web}/{name}"}, "start": 0, "length": 1})
    began = time.monotonic()
    render = site.finished(site.submit(edit)["id"], seconds=20)
    assert time.monotonic() - began < 15
    assert render["status"] == "failed"
    error = render["error"]
    assert error["pointer"] == "/edit/timeline/tracks/0/clips/0/asset/src"
    assert (error["step"], error["attempt"], error["retryable"]) == ("fetching", 1, False)
    assert "/etc" not in str(render)
    assert render["credits"]["charged"] == "0.00"
    assert site.leftovers() == []
    assert site.finished(site.submit(make_edit())["id"])["status"] == "succeeded"


def test_refuses_addresses_that_are_not_public(site):
    edit = clip_edit({"asset": {"type": "video", "src": "https://localhost/x.mp4"}, "start": 0, "length": 1})
    render = site.finished(site.submit(edit)["id"])
    assert render["error"]["code"] == "address_refused"
    assert "127.0.0.1" not in str(render["error"])


def test_cancels_while_rendering(site):
    render = site.submit(long_edit(60))
    seen = site.wait(lambda: site.render(render["id"])["progress"]["frame"] > 0, seconds=60)
    assert seen
    began = time.monotonic()
    answer = site.call("POST", f"/api/v2/renders/{render['id']}/cancel", 202)
    assert answer["status"] == "cancelling"
    ended = site.finished(render["id"])
    assert (ended["status"], ended["credits"]["charged"]) == ("cancelled", "0.00")
    assert time.monotonic() - began < 4
    site.wait(lambda: not site.processes_at_work(), seconds=3)
    assert site.leftovers() == []
    again = site.call("POST", f"/api/v2/renders/{render['id']}/retry", 202)
    assert again["retry_of"] == render["id"]
    site.session.post(f"{site.base}/api/v2/renders/{again['id']}/cancel", timeout=30).raise_for_status()
    assert site.finished(again["id"])["status"] == "cancelled"


def test_progress_only_grows(site):
    render = site.submit(long_edit(60))
    seen = []
    while not seen or seen[-1][0] not in {"succeeded", "failed"}:
        found = site.render(render["id"])
        seen.append((found["status"], found["progress"]["percent"], found["progress"]["frame"]))
        time.sleep(0.05)
    order = ["queued", "fetching", "rendering", "saving", "succeeded"]
    places = [order.index(status) for status, _, _ in seen]
    assert places == sorted(places)
    assert [percent for _, percent, _ in seen] == sorted(percent for _, percent, _ in seen)
    assert len({frame for _, _, frame in seen}) > 2


def test_fifty_submits_with_credit_for_ten(site):
    key = site.make_key("carol")
    # One credit is a minute of 1080p at 30 frames a second. New users have 50 here: ten times five.
    balance, each = 50, 5
    edit = clip_edit(
        {"asset": {"type": "title", "text": "x"}, "start": 0, "length": each * 60},
        size={"width": 1920, "height": 1080},
        fps=30,
    )
    later = "2099-01-01T00:00:00Z"

    def submit(_: int) -> int:
        with requests.Session() as session:
            session.trust_env = False
            body = {"edit": edit, "run_at": later}
            return session.post(
                f"{site.base}/api/v2/renders", json=body, headers={"X-API-Key": key}, timeout=120
            ).status_code

    with ThreadPoolExecutor(50) as pool:
        answers = sorted(pool.map(submit, range(50)))
    assert answers == [202] * 10 + [402] * 40
    user = "(SELECT id FROM accounts_user WHERE username = 'carol')"
    assert site.query(f"SELECT balance FROM credits_creditaccount WHERE user_id = {user}") == [(0,)]
    entries = site.query(
        f"SELECT kind, count(*), sum(amount) FROM credits_creditentry WHERE user_id = {user} GROUP BY kind"
    )
    found = {kind: (count, int(total)) for kind, count, total in entries}
    assert found == {"grant": (1, balance * 100), "reserve": (10, -balance * 100)}
    assert site.query(f"SELECT count(*) FROM renders_render WHERE owner_id = {user}") == [(10,)]
    jobs = site.query(f"SELECT count(*) FROM jobs_job WHERE user_id = {user} AND status = 'scheduled'")
    assert jobs == [(10,)]


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_rendering(site, render_id, *, since):
    """Return the rendering attempt's number if it is greater than `since`."""
    found = site.render(render_id)
    attempt = found["progress"]["attempt"]
    return attempt if found["status"] == "rendering" and attempt > since else None


def test_survives_kills(site):
    """SIGKILL the worker during each render, four times: three times its slots, once the supervisor."""
    worker = site.processes[-1]
    renders = 5 if site.database_url.startswith("sqlite") else 2
    kills = 0
    finished = []
    for _ in range(renders):
        render_id = site.submit(long_edit(8))["id"]
        attempt = 0
        for _ in range(4):
            attempt = site.wait(lambda i=render_id, a=attempt: is_rendering(site, i, since=a), seconds=60)
            kills += 1
            if kills % 4 == 0:
                os.kill(worker.pid, signal.SIGKILL)
                worker.wait()
                worker = site.start_worker()
                continue
            for slot in children_of(worker.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(slot, signal.SIGKILL)
        finished.append(site.finished(render_id))
    assert kills == 4 * renders
    assert [render["status"] for render in finished] == ["succeeded"] * renders
    assert [render["progress"]["attempt"] for render in finished] == [5] * renders
    site.wait(lambda: not site.processes_at_work(), seconds=5)
    site.wait(lambda: not site.leftovers(), seconds=5)
    for render in finished:
        content = requests.get(render["output"]["url"], timeout=30).content
        assert len(content) == render["output"]["size_bytes"]
        assert len(frames_of(content)) == 200
        assert render["credits"]["charged"] == render["credits"]["reserved"]
    settled = "SELECT count(*), count(DISTINCT reservation_id) FROM credits_creditentry WHERE kind = 'settle'"
    ((entries, reservations),) = site.query(settled)
    assert entries == reservations
    ledger = (
        "SELECT a.balance, sum(e.amount) FROM credits_creditaccount a"
        " JOIN credits_creditentry e ON e.user_id = a.user_id GROUP BY a.user_id, a.balance"
    )
    assert all(balance == int(total) for balance, total in site.query(ledger))
