"""One trace from the POST to the webhook, as an OTLP receiver sees it; and logs that name it."""

from __future__ import annotations

import functools
import http.server
import json
import sys
import threading

import pytest
from PIL import Image

from tests.acceptance.installation import Installation
from tests.factories import make_edit
from tests.notifications.receiver import Receiver
from tests.otlp_collector import Collector, Seen

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("servers"), pytest.mark.timeout(120)]
TRACE_ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RENDER_STEPS = {"draw", "plan", "run", "verify", "publish"}


@pytest.fixture
def collector():
    found = Collector()
    yield found
    found.close()


@pytest.fixture
def receiver():
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def site(tmp_path):
    """The address of a server with a picture."""
    Image.new("RGB", (64, 36), (0, 0, 255)).save(tmp_path / "blue.png")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def path_of(span: Seen, spans: list[Seen]) -> list[str]:
    """Return the names of the spans from the first below the caller's down to this one."""
    above = {one.span_id: one for one in spans}
    names = []
    while span.parent_id != CALLER:
        names.append(span.name)
        span = above[span.parent_id]
    return [span.name, *reversed(names)]


def test_one_trace_from_the_post_to_the_delivery(tmp_path, collector, receiver, site):
    installation = Installation(
        tmp_path / "installation",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20for-the-collector",
        OTEL_BSP_SCHEDULE_DELAY="200",
        WEBHOOK_ALLOW_HOSTS="127.0.0.1",
        FETCH_ALLOW_HOSTS="127.0.0.1",
        LOG_FORMAT="json",
        LOG_LEVEL="DEBUG",
        SHUTDOWN_LINGER_S="0",
    )
    try:
        installation.start(sys.executable, "-m", "renderowl.serve", "--port", str(installation.port), log="server")
        installation.start_worker()
        installation.wait(installation.serves, seconds=60)
        edit = make_edit()
        picture = {"type": "image", "src": f"{site}/blue.png?token=hush-query"}
        edit["timeline"]["tracks"].append({"clips": [{"asset": picture, "start": 0, "length": 1}]})
        render = installation.call(
            "POST",
            "/api/v2/renders",
            202,
            json={"edit": edit, "webhook": {"url": receiver.url("/hush-path")}},
            headers={"traceparent": f"00-{TRACE_ID}-{CALLER}-01", "X-Request-Id": "request-of-alice"},
        )
        installation.wait(lambda: receiver.received, seconds=60)
    finally:
        installation.stop()

    spans = [span for span in collector.spans if span.trace_id == TRACE_ID]
    by_name = {span.name: span for span in spans}
    # The request, the job, FFmpeg and the delivery, each below the one before it.
    to_delivery = [
        "POST /api/v2/renders",
        "send renders",
        "process renders",
        "send webhooks",
        "process webhooks",
        "POST",
    ]
    assert path_of(by_name["POST"], spans) == to_delivery
    assert path_of(by_name["ffmpeg"], spans) == [*to_delivery[:3], "render", "run", "ffmpeg"]
    assert path_of(by_name["GET"], spans) == [*to_delivery[:3], "fetch", "fetch source", "GET"]
    assert {"fetch", "probe", "resolve", "save"} | RENDER_STEPS <= set(by_name)
    kinds = [by_name[name].kind for name in to_delivery]
    assert kinds == ["SERVER", "PRODUCER", "CONSUMER", "PRODUCER", "CONSUMER", "CLIENT"]
    services = [by_name[name].service for name in to_delivery]
    assert services == ["renderowl-web"] * 2 + ["renderowl-worker"] * 4

    request, attempt, ffmpeg = by_name["POST /api/v2/renders"], by_name["process renders"], by_name["ffmpeg"]
    assert request.attributes["http.response.status_code"] == 202
    assert request.attributes["renderowl.request.id"] == "request-of-alice"
    assert request.attributes["renderowl.account.id"].startswith("usr_")
    assert attempt.links == (by_name["send renders"].span_id,)
    assert attempt.attributes["renderowl.render.id"] == render["id"]
    assert attempt.attributes["renderowl.job.type"] == "renders.render"
    assert (attempt.attributes["renderowl.job.attempt"], attempt.attributes["renderowl.job.outcome"]) == (
        1,
        "succeeded",
    )
    assert ffmpeg.attributes["renderowl.ffmpeg.frames"] == 10
    assert ffmpeg.attributes["renderowl.ffmpeg.speed"] > 0
    assert attempt.began <= ffmpeg.began <= ffmpeg.ended <= attempt.ended
    assert by_name["POST"].attributes["http.response.status_code"] == 204

    # The receiver can continue the trace: the header names the span of the request that it got.
    (delivery,) = receiver.received
    assert delivery.headers["traceparent"] == f"00-{TRACE_ID}-{by_name['POST'].span_id}-01"
    assert TRACE_ID not in delivery.body.decode()
    stored = dict(installation.query("SELECT type, traceparent FROM jobs_job WHERE traceparent <> ''"))
    assert stored["renders.render"] == f"00-{TRACE_ID}-{by_name['send renders'].span_id}-01"

    # No span contains a secret.
    assert collector.headers[0]["authorization"] == "Bearer for-the-collector"
    exported = b"".join(collector.bodies)
    for hidden in (b"hush", installation.key.encode(), b"whsec_", b"for-the-collector", b"owl\x00"):
        assert hidden not in exported

    # Every line of both programs is an object; those of the render name trace, request, job and account.
    lines = [json.loads(line) for log in ("server", "worker") for line in read(installation, log)]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    (done,) = [line for line in lines if line.get("action") == "render_succeeded"]
    assert (done["trace_id"], done["request_id"]) == (TRACE_ID, "request-of-alice")
    assert done["job_id"] == attempt.attributes["renderowl.job.id"]
    assert done["account_id"] == request.attributes["renderowl.account.id"]
    assert done["render_id"] == render["id"]


def read(installation: Installation, log: str) -> list[str]:
    return (installation.folder / f"{log}.log").read_text().splitlines()
