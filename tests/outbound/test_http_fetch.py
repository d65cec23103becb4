"""Downloads from a local server with all kinds of responses."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from assets.fetch_cache import FetchCache
from outbound import http_client as exchange_module
from outbound.exceptions import FetchFailed, FetchRefused
from outbound.fetch import fetch_to_file

BODY = bytes(range(256)) * 1000


class Site:
    """A server and its paths. requests: (path, headers) in the order of arrival."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.paths: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append((self.path, dict(self.headers)))
                site.paths[self.path](self)

            def log_message(self, *args) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address) -> None:
                """Stay silent about clients that disconnect, as some tests do."""

        self.server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def url(self, path: str = "/file", host: str = "files.test") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def serve(self, path: str = "/file", body: bytes = BODY, status: int = 200, **headers: str) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            fields = {"Content-Length": str(len(body)), "Content-Type": "video/mp4"}
            for name, value in {**fields, **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)

        self.paths[path] = answer

    def redirect(self, path: str, location: str, status: int = 302) -> None:
        self.serve(path, b"", status, Location=location)


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


def local(host, port):
    return ["127.0.0.1"]


@pytest.fixture
def fetch(tmp_path):
    def run(url, **options):
        defaults = {"allow_hosts": [("files.test", None)], "max_bytes": 10_000_000, "resolver": local}
        return fetch_to_file(url, tmp_path / "file", **{**defaults, **options})

    return run


def test_returns_the_file_and_its_metadata(site, fetch, tmp_path) -> None:
    site.serve(ETag='"v1"', Last_Modified="Mon, 23 Nov 2026 10:00:00 GMT", Content_Type="Video/MP4; charset=x")
    fetched = fetch(site.url())
    assert (tmp_path / "file").read_bytes() == BODY
    assert (fetched.size_bytes, fetched.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert (fetched.content_type, fetched.final_url) == ("video/mp4", site.url())
    assert (fetched.etag, fetched.last_modified) == ('"v1"', "Mon, 23 Nov 2026 10:00:00 GMT")


def test_the_request_has_the_host_and_asks_for_uncompressed_bytes(site, fetch) -> None:
    site.serve("/a%20b?x=1")
    fetch(site.url("/a%20b?x=1"))
    path, headers = site.requests[0]
    assert path == "/a%20b?x=1"
    assert headers["Host"] == f"files.test:{site.port}"
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization", "Referer"} & headers.keys()


def test_a_chunked_file_arrives_completely(site, fetch, tmp_path) -> None:
    def answer(handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (BODY[:1000], BODY[1000:]):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    site.paths["/file"] = answer
    assert fetch(site.url()).size_bytes == len(BODY)
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(site, fetch, status) -> None:
    site.redirect("/old", "/file", status)
    site.serve()
    assert fetch(site.url("/old")).final_url == site.url("/file")


def test_at_most_five_redirects_are_followed(site, fetch) -> None:
    for number in range(6):
        site.redirect(f"/{number}", f"/{number + 1}")
    site.serve("/6")
    assert fetch(site.url("/1")).final_url == site.url("/6")
    with pytest.raises(FetchRefused) as caught:
        fetch(site.url("/0"))
    assert caught.value.reason == "too_many_redirects"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("https://10.0.0.1/", "address_refused"),
        ("https://169.254.169.254/latest/meta-data/", "address_refused"),
        ("https://[::1]/", "address_refused"),
        ("http://other.test/", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("https://files2.test:22/", "url_port"),
        ("https://a:b@files2.test/", "url_credentials"),
        ("https://[bad", "url_invalid"),
        ("//evil.test/x y", "url_invalid"),
    ],
)
def test_a_redirect_is_checked_like_the_first_url(site, fetch, location, reason) -> None:
    def resolver(host, port):
        return ["127.0.0.1"] if host == "files.test" else [host]

    site.redirect("/file", location)
    with pytest.raises(FetchRefused) as caught:
        fetch(site.url(), resolver=resolver)
    assert caught.value.reason == reason


def test_a_redirect_without_location_fails(site, fetch) -> None:
    site.serve(status=302)
    with pytest.raises(FetchFailed):
        fetch(site.url())


def test_dns_rebinding_never_gets_a_connection(site, fetch, monkeypatch) -> None:
    """DNS rebinding: the name is public when checked and private when connected to."""
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    asked = []
    connected = []

    def flipping(host, port):
        asked.append(host)
        return answers.pop(0)

    def connect(address, **options):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(exchange_module.socket, "create_connection", connect)
    with pytest.raises(FetchFailed):
        fetch("https://rebind.test/", resolver=flipping)
    assert asked == ["rebind.test"]
    assert connected == [("8.8.8.8", 443)]
    # Checked again by the next fetch, it is refused at once.
    with pytest.raises(FetchRefused):
        fetch("https://rebind.test/", resolver=flipping)
    assert len(connected) == 1
    assert site.requests == []


def test_no_name_is_looked_up_after_the_check(site, fetch, monkeypatch) -> None:
    looked_up = []
    real = socket.getaddrinfo

    def spy(host, *args, **kwargs):
        looked_up.append(host)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    site.serve()
    fetch(site.url())
    assert set(looked_up) <= {"127.0.0.1"}


def test_another_address_is_tried_when_one_does_not_answer(site, fetch) -> None:
    site.serve()
    with socket.socket() as closed:
        closed.bind(("127.0.0.2", 0))
        assert fetch(site.url(), resolver=lambda host, port: ["127.0.0.2", "127.0.0.1"]).size_bytes == len(BODY)


def test_a_content_length_over_the_limit_is_refused(site, fetch, tmp_path) -> None:
    site.serve()
    with pytest.raises(FetchRefused) as caught:
        fetch(site.url(), max_bytes=len(BODY) - 1)
    assert caught.value.reason == "too_large"
    assert not (tmp_path / "file").exists()
    assert fetch(site.url(), max_bytes=len(BODY)).size_bytes == len(BODY)


def test_a_body_without_content_length_is_limited(site, fetch, tmp_path) -> None:
    sent = []

    def endless(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(BODY)
            sent.append(len(BODY))

    site.paths["/file"] = endless
    with pytest.raises(FetchRefused) as caught:
        fetch(site.url(), max_bytes=1_000_000)
    assert caught.value.reason == "too_large"
    assert not (tmp_path / "file").exists()
    assert sum(sent) < 100_000_000


def test_a_compressed_response_is_refused(site, fetch, tmp_path) -> None:
    site.serve(Content_Encoding="gzip")
    with pytest.raises(FetchRefused) as caught:
        fetch(site.url())
    assert caught.value.reason == "content_encoding"
    assert not (tmp_path / "file").exists()


def drip(first: bytes, each: bytes):
    def answer(handler) -> None:
        handler.wfile.write(first)
        stop = time.monotonic() + 20
        while time.monotonic() < stop:
            handler.wfile.write(each)
            handler.wfile.flush()
            threading.Event().wait(0.05)

    return answer


@pytest.mark.parametrize(
    ("first", "each"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.0 200 OK\r\nX-Slow: ", b"x"),
        (b"", b""),
    ],
    ids=["body", "body without a length", "headers", "silence"],
)
def test_a_slow_response_ends_at_the_total_timeout(site, fetch, tmp_path, first, each) -> None:
    site.paths["/file"] = drip(first, each)
    began = time.monotonic()
    with pytest.raises(FetchFailed) as caught:
        fetch(site.url(), total_timeout_s=0.6)
    assert caught.value.reason == "timeout"
    assert 0.5 < time.monotonic() - began < 3
    assert not (tmp_path / "file").exists()


def test_stop_cancels_the_fetch(site, fetch, tmp_path) -> None:
    site.paths["/file"] = drip(b"HTTP/1.0 200 OK\r\n\r\n", b"x")
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(FetchFailed) as caught:
        fetch(site.url(), stop=stop)
    timer.join()
    assert caught.value.reason == "stopped"
    assert time.monotonic() - began < 3
    assert not (tmp_path / "file").exists()


def test_a_truncated_file_fails(site, fetch, tmp_path) -> None:
    site.serve(Content_Length=str(len(BODY) + 10))
    with pytest.raises(FetchFailed) as caught:
        fetch(site.url())
    assert (caught.value.reason, caught.value.retryable) == ("truncated", True)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, FetchRefused), (403, FetchRefused), (204, FetchRefused), (206, FetchRefused), (410, FetchRefused),
     (429, FetchFailed), (500, FetchFailed), (503, FetchFailed)],
)  # fmt: skip
def test_other_statuses_are_reported_as_retryable_or_not(site, fetch, tmp_path, status, error) -> None:
    site.serve(body=b"", status=status)
    with pytest.raises(error) as caught:
        fetch(site.url())
    assert caught.value.reason == f"http_{status}"
    assert not (tmp_path / "file").exists()


def test_a_response_that_is_not_http_fails(site, fetch) -> None:
    site.paths["/file"] = lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    with pytest.raises(FetchFailed) as caught:
        fetch(site.url())
    assert caught.value.reason == "connection_failed"


def test_a_closed_port_fails_without_revealing_the_address(fetch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://files.test:{closed.getsockname()[1]}/"
        with pytest.raises(FetchFailed) as caught:
            fetch(url)
    assert caught.value.reason == "connection_failed"
    assert "127.0.0.1" not in str(caught.value)


def test_a_private_host_is_refused_without_a_connection(site, fetch) -> None:
    site.serve()
    with pytest.raises(FetchRefused):
        fetch(f"https://127.0.0.1:{site.port}/file", allow_hosts=[], ports={site.port}, resolver=lambda h, p: [h])
    assert site.requests == []


def test_many_threads_can_fetch(site, tmp_path) -> None:
    site.serve()
    errors = []

    def one(number: int) -> None:
        try:
            options = {"allow_hosts": [("files.test", None)], "max_bytes": 10_000_000, "resolver": local}
            fetch_to_file(site.url(), tmp_path / str(number), **options)
        except FetchFailed as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {(tmp_path / str(number)).stat().st_size for number in range(8)} == {len(BODY)}


class TestCache:
    """FetchCache."""

    @pytest.fixture
    def again(self, tmp_path):
        cache = FetchCache(tmp_path / "cache", 10_000_000)
        numbers = iter(range(100))

        def run(url):
            target = tmp_path / f"copy{next(numbers)}"
            options = {"allow_hosts": [("files.test", None)], "max_bytes": 10_000_000, "resolver": local}
            return cache.fetch(url, target, **options)

        return run

    def test_an_unchanged_file_is_not_sent_again(self, site, again) -> None:
        def answer(handler) -> None:
            if handler.headers.get("If-None-Match") == '"v1"':
                handler.send_response(304)
                handler.end_headers()
                return
            handler.send_response(200)
            handler.send_header("ETag", '"v1"')
            handler.end_headers()
            handler.wfile.write(BODY)

        site.paths["/file"] = answer
        assert again(site.url()).read_bytes() == BODY
        assert again(site.url()).read_bytes() == BODY
        assert [headers.get("If-None-Match") for _, headers in site.requests] == [None, '"v1"']

    def test_a_changed_file_is_fetched_again(self, site, again) -> None:
        site.serve(ETag='"v1"')
        assert again(site.url()).read_bytes() == BODY
        site.serve(body=b"new", ETag='"v2"')
        assert again(site.url()).read_bytes() == b"new"

    def test_a_file_that_the_server_refuses_is_not_served_from_the_cache(self, site, again, tmp_path) -> None:
        site.serve(ETag='"v1"')
        again(site.url())
        site.serve(body=b"", status=403)
        with pytest.raises(FetchRefused):
            again(site.url())
        assert not (tmp_path / "copy1").exists()

    def test_a_file_without_validators_is_always_fetched(self, site, again) -> None:
        site.serve()
        again(site.url())
        again(site.url())
        assert all("If-None-Match" not in headers for _, headers in site.requests)
        assert len(site.requests) == 2

    def test_a_damaged_cache_entry_is_ignored(self, site, again, tmp_path) -> None:
        site.serve(ETag='"v1"')
        again(site.url())
        for note in (tmp_path / "cache" / "urls").iterdir():
            note.write_bytes(b'{"x": 1}')
        assert again(site.url()).read_bytes() == BODY

    def test_a_304_to_a_plain_request_is_a_failure(self, site, again) -> None:
        site.serve(body=b"", status=304)
        with pytest.raises(FetchFailed):
            again(site.url())
