"""`make demo`: starts a separate installation and renders a sample edit through its API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from renderowl.local.processes import ROOT, ProcessGroup, StartFailed, free_port, manage, server_command, worker_command
from renderowl.local.sample import make_edit, make_media

RENDER_LIMIT_S = 150.0
BAR_WIDTH = 40


class DemoFailed(Exception):
    """The demo failed; the message says at which step."""


class DemoClient:
    """A minimal client of the API."""

    def __init__(self, base: str, key: str) -> None:
        self.base = base
        self.session = requests.Session()
        # Ignore proxy settings of the environment, as the server is on the loopback interface.
        self.session.trust_env = False
        self.session.headers["X-API-Key"] = key

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and return the JSON of its response; raise DemoFailed with the problem's detail."""
        url = path if path.startswith("http") else f"{self.base}{path}"
        response = self.session.request(method, url, timeout=60, **arguments)
        if "json" not in response.headers.get("Content-Type", ""):
            raise DemoFailed(f"{method} {path} answered {response.status_code} without JSON")
        body: dict[str, Any] = response.json()
        if not response.ok:
            raise DemoFailed(
                f"{method} {path} answered {response.status_code}: {body.get('detail')} {body.get('errors', '')}"
            )
        return body

    def download(self, url: str, target: Path) -> None:
        """Download a signed URL to a file."""
        with self.session.get(url, stream=True, timeout=60) as response:
            response.raise_for_status()
            with target.open("wb") as file:
                for chunk in response.iter_content(1 << 16):
                    file.write(chunk)


def main() -> int:
    """Run the demo. Returns the exit status."""
    started = time.monotonic()
    folder = Path(os.environ.get("DATA_DIR", ROOT / "var")).resolve() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = free_port()
    env = {**os.environ, "DATA_DIR": str(folder / "data"), "DEBUG": "1", "PORT": str(port)}
    # The demo polls five times a second, more than the smallest plan allows.
    env["SIGNUP_PLAN"] = "starter"
    for name in ("DATABASE_URL", "STORAGE_URL", "CACHE_URL", "PUBLIC_URL", "SECRET_KEY", "SECRET_KEY_FILE"):
        env.pop(name, None)
    with (folder / "server.log").open("wb") as log:
        group = ProcessGroup(env, log=log)
        group.catch_signals()
        try:
            _say("Preparing a database and a key...")
            manage(["migrate", "--noinput"], env)
            minted = json.loads(manage(["create_api_key", "demo", "--scopes", "*", "--create-user", "--json"], env))
            group.start("server", server_command(port))
            group.start("worker", worker_command())
            group.wait_until_serving(port)
            _render(DemoClient(f"http://127.0.0.1:{port}", minted["key"]), folder, started)
        except (StartFailed, DemoFailed, requests.RequestException, subprocess.CalledProcessError, OSError) as error:
            print(f"The demo failed: {error} (log: {folder / 'server.log'})", file=sys.stderr)
            return 1
        finally:
            group.stop()
    return 0


def _render(client: DemoClient, folder: Path, started: float) -> None:
    media = make_media(folder / "media")
    sources = {}
    for role, path in media.items():
        _say(f"Uploading {path.name} ({path.stat().st_size / 1024:.0f} KiB)...")
        with path.open("rb") as file:
            asset = client.call("POST", "/api/v2/assets", files={"file": (path.name, file)})
        sources[role] = f"asset:{asset['id']}"
    submitted = time.monotonic()
    render = client.call("POST", "/api/v2/renders", json={"edit": make_edit(sources)})
    _say(f"Submitted {render['id']}.")
    render = _follow(client, render)
    elapsed_s = time.monotonic() - submitted
    video, poster = folder / "demo.mp4", folder / "poster.jpg"
    client.download(render["output"]["url"], video)
    client.download(render["poster_url"], poster)
    output = render["output"]
    _say(f"video     {video}")
    _say(f"poster    {poster}")
    _say(f"size      {video.stat().st_size / 1024:.0f} KiB, {output['width']}x{output['height']}, {output['fps']} fps")
    _say(f"duration  {output['duration_s']:.2f} s")
    _say(f"took      {elapsed_s:.1f} s to render, {time.monotonic() - started:.1f} s in total")


def _follow(client: DemoClient, render: dict[str, Any]) -> dict[str, Any]:
    """Poll a render until it finishes, showing its progress.

    Raises DemoFailed if it does not succeed in time.
    """
    deadline = time.monotonic() + RENDER_LIMIT_S
    path = f"/api/v2/renders/{render['id']}"
    last = ""
    while render["status"] not in {"succeeded", "failed", "cancelled"}:
        if time.monotonic() > deadline:
            raise DemoFailed(f"the render was still {render['status']} after {RENDER_LIMIT_S:.0f} s")
        time.sleep(0.2)
        render = client.call("GET", path)
        last = _show(render, last)
    if sys.stdout.isatty():
        print()
    if render["status"] != "succeeded":
        raise DemoFailed(f"the render {render['status']}: {(render.get('error') or {}).get('message')}")
    return render


def _show(render: dict[str, Any], last: str) -> str:
    percent = float(render["progress"]["percent"] or 0)
    if sys.stdout.isatty():
        done = round(BAR_WIDTH * percent / 100)
        print(f"\r[{'#' * done}{'.' * (BAR_WIDTH - done)}] {percent:5.1f} % {render['status']:<10}", end="", flush=True)
        return last
    line = f"{render['status']} {percent // 20 * 20:.0f} %"
    if line != last:
        _say(line)
    return line


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
