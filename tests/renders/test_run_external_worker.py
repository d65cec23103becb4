"""`run_external_worker` without a server, and its client against a misbehaving one."""

from __future__ import annotations

import http.server
import io
import json
import threading

import pytest
from django.core.management import CommandError, call_command
from standardwebhooks.webhooks import Webhook

from engine.errors import EditInvalid
from engine.run import FFmpegLimits
from outbound.signing import new_secret, parse_secret
from renders.external import client as client_module
from renders.external.client import (
    AttemptEnded,
    ProgressReporter,
    UploadRefused,
    WorkerApiClient,
    WorkerApiError,
    WorkerCredentials,
)
from renders.external.worker import ExternalWorker
from renders.fetching import FetchOptions
from tests.factories import make_edit

SECRET = new_secret()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"url": "ftp://x", "key": "k", "secret": SECRET}, "--url"),
        ({"url": "http://127.0.0.1:1", "secret": SECRET}, "WORKER_KEY"),
        ({"url": "http://127.0.0.1:1", "key": "k", "secret": "whsec_short"}, "secret"),
    ],
)
def test_names_the_missing_option(options, word):
    with pytest.raises(CommandError, match=word):
        call_command("run_external_worker", **options)


def test_prints_a_new_secret():
    out = io.StringIO()
    call_command("run_external_worker", new_secret=True, stdout=out)
    assert len(parse_secret(out.getvalue().strip())) == 32


def test_an_unreachable_server_is_retried_later():
    call_command("run_external_worker", url="http://127.0.0.1:1", key="k", secret=SECRET, once=True)


@pytest.fixture
def server(monkeypatch):
    """A server with scripted responses that records its requests."""
    monkeypatch.setattr(client_module, "RETRY_DELAYS_S", (0.0, 0.0))

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.seen.append((dict(self.headers), body))
            status, answer = self.server.answers.pop(0)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = answer  # noqa: N815 - named by the protocol

        def log_message(self, *args):
            pass

    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.answers, found.seen = [], []
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture
def client(server):
    return WorkerApiClient(
        WorkerCredentials(f"http://127.0.0.1:{server.server_port}", "k", parse_secret(SECRET), "gpu-1")
    )


def job_spec_of(server):
    base = f"http://127.0.0.1:{server.server_port}"
    return {"job": {"render": "rnd_1"}, "lease_token": "t", "report": {"url": f"{base}/report", "every_s": 1}}


def test_a_report_that_must_arrive_is_retried_with_the_same_id(server, client):
    server.answers = [(503, {}), (502, {}), (200, {"cancel": False})]
    client.report(job_spec_of(server), {"status": "succeeded"}, must_arrive=True)
    assert len({headers["webhook-id"] for headers, _ in server.seen}) == 1
    for headers, body in server.seen:
        assert Webhook(SECRET).verify(body, headers)["status"] == "succeeded"


def test_progress_that_does_not_arrive_is_dropped(server, client):
    server.answers = [(503, {})]
    client.report(job_spec_of(server), {"status": "rendering"})
    assert len(server.seen) == 1


@pytest.mark.parametrize("answer", [(409, {"code": "stale_attempt"}), (404, {}), (200, {"cancel": True})])
def test_a_report_ends_an_attempt_that_is_over(server, client, answer):
    server.answers = [answer]
    with pytest.raises(AttemptEnded):
        client.report(job_spec_of(server), {"status": "rendering"})


def test_a_refused_signature_is_reported_to_the_operator(server, client):
    server.answers = [(401, {})]
    with pytest.raises(WorkerApiError, match="secret"):
        client.report(job_spec_of(server), {"status": "rendering"})


def test_a_refused_claim_is_reported_to_the_operator(server, client):
    server.answers = [(204, None), (503, {}), (403, {"code": "missing_scope", "detail": "No."})]
    assert client.claim() is None
    assert client.claim() is None
    with pytest.raises(WorkerApiError, match="missing_scope"):
        client.claim()


def test_uploads_are_retried_refused_or_given_up(server, client, tmp_path):
    path = tmp_path / "output.mp4"
    path.write_bytes(b"film")
    target = {"url": f"http://127.0.0.1:{server.server_port}/x", "content_type": "video/mp4"}
    server.answers = [(503, {}), (200, {})]
    client.upload(target, path)
    assert [body for _, body in server.seen] == [b"film", b"film"]
    server.answers = [(422, {"code": "validation_error", "errors": [{"detail": "It lasts too long."}]})]
    with pytest.raises(UploadRefused, match="too long"):
        client.upload(target, path)
    server.answers = [(409, {})]
    with pytest.raises(AttemptEnded):
        client.upload(target, path)
    server.answers = [(503, {})] * 3
    with pytest.raises(UploadRefused) as refusal:
        client.upload(target, path)
    assert refusal.value.retryable


def test_a_strict_render_fails_on_warnings(tmp_path):
    credentials = WorkerCredentials("http://127.0.0.1:1", "k", parse_secret(SECRET), "gpu-1")
    worker = ExternalWorker(credentials, options=FetchOptions([], 1, 1), work_dir=tmp_path, limits=FFmpegLimits())
    job_spec = {"job": {"render": "rnd_1", "strict": True}, "report": {"url": "", "every_s": 1}, "upload": {}}
    job_spec["edit"] = make_edit(poster={"capture": 50})
    with pytest.raises(EditInvalid, match="outside the output"):
        worker._make(job_spec, tmp_path, ProgressReporter(credentials, job_spec))
