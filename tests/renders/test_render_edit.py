"""The command `render_edit`."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import av
import pytest
from django.core.management import call_command
from PIL import Image

from tests.factories import make_edit

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """The URL of a server with blue.png, words.png, which is not an image, and cafe.srt in Windows-1252."""
    folder = tmp_path_factory.mktemp("web")
    Image.new("RGB", (64, 36), (0, 0, 255)).save(folder / "blue.png")
    (folder / "words.png").write_text("no picture")
    (folder / "cafe.srt").write_bytes("1\n00:00:00,000 --> 00:00:01,000\nCafé déjà vu\n".encode("cp1252"))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(tmp_path, web, settings, capfd):
    """A function that renders an edit and returns exit status, standard output and standard error.

    Within this process pytest refuses every use of the database.
    """
    host, port = web.removeprefix("http://").split(":")
    settings.RENDEROWL_FETCH_ALLOW_HOSTS = [(host, int(port))]

    def start(edit, *arguments, out=tmp_path / "out.mp4"):
        path = tmp_path / "edit.json"
        path.write_text(edit if isinstance(edit, str) else json.dumps(edit))
        try:
            call_command("render_edit", str(path), "-o", str(out), *arguments)
            status = 0
        except SystemExit as ended:
            status = ended.code
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return start


def test_runs_as_a_program_without_a_database(tmp_path):
    path, out = tmp_path / "edit.json", tmp_path / "out.mp4"
    path.write_text(json.dumps(make_edit()))
    # No server listens there: any database query would fail.
    env = {**os.environ, "DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": "postgres://user@127.0.0.1:1/missing"}
    command = [sys.executable, "manage.py", "render_edit", str(path), "-o", str(out)]

    def run_program(*arguments):
        full = [*command, *arguments]
        return subprocess.run(full, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)

    done = run_program("--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == str(out)
    path.write_text("[]")
    assert run_program("--json").returncode == 1
    done = run_program("--merge", "nonsense")
    assert done.returncode == 2
    assert "KEY=VALUE" in done.stderr


def image_edit(src, **output):
    edit = make_edit(**output)
    edit["timeline"]["tracks"] = [{"clips": [{"asset": {"type": "image", "src": src}, "start": 0, "length": 1}]}]
    return edit


def test_renders_without_a_database(run, web, tmp_path):
    out = tmp_path / "film.mp4"
    status, stdout, _ = run(image_edit(f"{web}/blue.png"), "--json", out=out)
    assert status == 0
    answer = json.loads(stdout)
    assert set(answer) == {"output", "duration_s", "width", "height", "warnings", "notes", "took_s"}
    assert (answer["output"], answer["duration_s"], answer["width"], answer["height"]) == (str(out), 1.0, 64, 36)
    assert (answer["warnings"], answer["notes"]) == ([], [])
    with av.open(str(out)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    assert len(frames) == 10
    assert frames[5].getpixel((32, 18))[2] > 240
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".mp4"] == ["film.mp4"]


def test_fills_placeholders_from_the_command_line(run, web):
    edit = image_edit("{{ SRC }}")
    status, stdout, stderr = run(edit, "--merge", f"SRC={web}/blue.png", "--merge", "A=B=C")
    assert status == 0, stderr
    assert "64x36" in stdout


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda edit, web: edit["output"].update(format="avi"), "/output/format"),
        (lambda edit, web: edit["timeline"].pop("tracks"), "/timeline/tracks"),
    ],
)
def test_refuses_an_edit_with_pointers_into_it(run, web, tmp_path, change, pointer):
    edit = make_edit()
    change(edit, web)
    status, stdout, stderr = run(edit, "--json")
    assert status == 1
    errors = json.loads(stdout)["errors"]
    assert [set(error) for error in errors] == [{"pointer", "code", "detail"}] * len(errors)
    assert pointer in [error["pointer"] for error in errors]
    assert "Traceback" not in stderr
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("{web}/words.png", "unsupported_type"),
        ("{web}/missing.png", "http_404"),
        ("asset:ast_00000000000000000000000000", "source_refused"),
        ("file:///etc/passwd", "invalid_url"),
        ("https://127.0.0.1/blue.png", "address_refused"),
        ("https://does-not-exist.invalid/blue.png", "host_unknown"),
    ],
)
def test_refuses_an_unavailable_source(run, web, name, code):
    status, stdout, _ = run(image_edit(name.format(web=web)), "--json")
    assert status == 1
    errors = json.loads(stdout)["errors"]
    found = [(error["pointer"], error["code"]) for error in errors]
    assert found == [("/timeline/tracks/0/clips/0/asset/src", code)]


def test_refuses_plain_http_to_hosts_that_are_not_listed(run, web, settings):
    settings.RENDEROWL_FETCH_ALLOW_HOSTS = []
    status, stdout, _ = run(image_edit(f"{web}/blue.png"), "--json")
    assert (status, json.loads(stdout)["errors"][0]["code"]) == (1, "url_scheme")


def test_notes_are_told_and_not_refused_by_strict(run, web):
    edit = make_edit()
    clip = {"asset": {"type": "caption", "src": f"{web}/cafe.srt"}, "start": 0, "length": 1}
    edit["timeline"]["tracks"] = [{"clips": [clip, {**clip, "start": 1}]}]
    status, stdout, stderr = run(edit, "--json", "--strict")
    answer = json.loads(stdout)
    assert (status, answer["warnings"]) == (0, [])
    (note,) = answer["notes"]
    assert (note["pointer"], note["code"]) == ("/timeline/tracks/0/clips/0/asset/src", "encoding_guessed")
    assert "Windows-1252" in note["detail"]
    assert f"note {note['pointer']}: {note['detail']}" in stderr


def test_strict_refuses_warnings(run):
    edit = make_edit()
    edit["timeline"]["mood"] = "happy"
    status, stdout, _ = run(edit, "--json")
    assert (status, [item["pointer"] for item in json.loads(stdout)["warnings"]]) == (0, ["/timeline/mood"])
    status, stdout, _ = run(edit, "--json", "--strict")
    assert (status, [item["pointer"] for item in json.loads(stdout)["errors"]]) == (1, ["/timeline/mood"])


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000])
def test_fails_in_one_line_on_invalid_json(run, text):
    status, stdout, stderr = run(text, "--json")
    assert (status, stdout) == (2, "")
    assert len(stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "null"])
def test_refuses_json_that_is_not_an_edit(run, text):
    status, stdout, _ = run(text, "--json")
    assert (status, json.loads(stdout)["errors"][0]["pointer"]) == (1, "")


def test_fails_in_one_line_if_the_output_is_not_writable(run):
    status, _, stderr = run(make_edit(), out=Path("/proc/folder/out.mp4"))
    assert status == 2
    assert "Traceback" not in stderr
    assert len([line for line in stderr.strip().splitlines() if not line.startswith("rendering ")]) == 1


def test_refuses_a_directory_as_output_before_rendering(run, tmp_path):
    status, stdout, stderr = run(make_edit(), out=tmp_path)
    assert (status, stdout) == (2, "")
    assert stderr.splitlines() == [f"{tmp_path} is a directory; give the path of a file"]


@pytest.mark.parametrize(("name", "output_format"), [("out.gif", "mp4"), ("out.MP4", "gif"), ("out.jpeg", "png")])
def test_refuses_the_suffix_of_another_format(run, tmp_path, name, output_format):
    out = tmp_path / name
    status, stdout, stderr = run(make_edit(format=output_format), "--json", out=out)
    assert status == 1
    (error,) = json.loads(stdout)["errors"]
    assert (error["pointer"], error["code"]) == ("/output/format", "format_mismatch")
    assert name in error["detail"]
    assert name in stderr
    assert not out.exists()


@pytest.mark.parametrize(("name", "output_format"), [("out.jpeg", "jpg"), ("out", "gif"), ("out.film", "png")])
def test_accepts_a_matching_or_unknown_suffix(run, tmp_path, name, output_format):
    status, _, stderr = run(make_edit(format=output_format), out=tmp_path / name)
    assert status == 0, stderr
    assert (tmp_path / name).stat().st_size > 0
