"""URLs and addresses that outbound requests may go to."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from outbound.exceptions import FetchFailed, FetchRefused
from outbound.ip_addresses import is_public_address
from outbound.targets import check_url, choose_addresses

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::5"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_public(address) -> None:
    assert not is_public_address(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [*PUBLIC, "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_public(address) -> None:
    assert is_public_address(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_with_one_private_address_among_public_ones_is_refused(address) -> None:
    target = check_url("https://files.example/a.mp4")
    with pytest.raises(FetchRefused) as caught:
        choose_addresses(target, lambda host, port: ["8.8.8.8", address, "1.1.1.1"])
    assert caught.value.reason == "address_refused"
    assert address not in caught.value.detail


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0", "[::1]",
     "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "localhost", "LOCALHOST.", "[::]"],
)  # fmt: skip
def test_every_spelling_of_this_machine_is_refused(host) -> None:
    with pytest.raises((FetchRefused, FetchFailed)) as caught:
        choose_addresses(check_url(f"https://{host}/x"))
    # A spelling that the system's resolver does not know is refused too.
    assert caught.value.reason in {"address_refused", "host_unknown"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "localhost"])
def test_spellings_that_resolve_are_refused_by_address(host) -> None:
    with pytest.raises(FetchRefused) as caught:
        choose_addresses(check_url(f"https://{host}/x"))
    assert caught.value.reason == "address_refused"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://files.example/a.mp4", "url_scheme"),
        ("ftp://files.example/a.mp4", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("gopher://files.example/", "url_scheme"),
        ("data:text/plain,x", "url_scheme"),
        ("//files.example/a.mp4", "url_scheme"),
        ("", "url_scheme"),
        ("https://user:secret@files.example/", "url_credentials"),
        ("https://user@files.example/", "url_credentials"),
        ("https://8.8.8.8@10.0.0.1/", "url_credentials"),
        ("https://files.example:22/", "url_port"),
        ("https://files.example:8443/", "url_port"),
        ("https://files.example:0/", "url_port"),
        ("https://files.example:99999/", "url_invalid"),
        ("https://files.example:x/", "url_invalid"),
        ("https:///a.mp4", "url_host"),
        ("https://.example/", "url_host"),
        ("https://-a.example/", "url_host"),
        ("https://a..example/", "url_host"),
        ("https://" + "a" * 64 + ".example/", "url_host"),
        ("https://files.example%00.evil.example/", "url_host"),
        ("https://[::1", "url_invalid"),
        ("https://[not-an-address]/", "url_invalid"),
        ("https://files.example\\@10.0.0.1/", "url_invalid"),
        ("https://files.example/a b", "url_invalid"),
        ("https://files.example/a\r\nHost: evil", "url_invalid"),
        ("https://files.example/\x00", "url_invalid"),
        ("https://files.example/" + "a" * 5000, "url_too_long"),
    ],
)
def test_a_malformed_or_forbidden_url_is_refused(url, reason) -> None:
    with pytest.raises(FetchRefused) as caught:
        check_url(url)
    assert caught.value.reason == reason


def test_a_url_is_normalised_as_it_will_be_sent() -> None:
    target = check_url("HTTPS://Files.Example.:443/a%20b/ü.mp4?x=1&y=é#part")
    assert (target.scheme, target.host, target.port) == ("https", "files.example", 443)
    assert target.path == "/a%20b/%C3%BC.mp4?x=1&y=%C3%A9"
    assert target.host_header == "files.example"
    assert check_url("https://[2606:4700::1111]/").host_header == "[2606:4700::1111]"


def test_an_international_name_is_sent_in_ascii() -> None:
    assert check_url("https://bücher.example/").host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("listed", "url", "allowed"),
    [
        (("files.lan", None), "http://files.lan:8080/a", True),
        (("files.lan", None), "https://FILES.lan/a", True),
        (("files.lan", 8080), "http://files.lan:8080/a", True),
        (("files.lan", 8080), "http://files.lan:8081/a", False),
        (("files.lan", 80), "http://files.lan/a", True),
        (("files.lan", None), "http://other.lan/a", False),
        (("files.lan", None), "http://evil-files.lan/a", False),
        (("files.lan", None), "http://files.lan.evil.example/a", False),
        (("::1", 9000), "http://[::1]:9000/a", True),
    ],
)
def test_the_operator_may_list_hosts_of_a_private_network(listed, url, allowed) -> None:
    if not allowed:
        with pytest.raises(FetchRefused):
            check_url(url, allow_hosts=[listed])
        return
    target = check_url(url, allow_hosts=[listed])
    assert choose_addresses(target, lambda host, port: ["10.0.0.5"]) == ["10.0.0.5"]


def test_more_ports_can_be_allowed() -> None:
    assert check_url("https://files.example:8443/", ports={443, 8443}).port == 8443


def test_an_unknown_name_may_be_retried() -> None:
    def unknown(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(FetchFailed) as caught:
        choose_addresses(check_url("https://files.example/"), unknown)
    assert (caught.value.reason, caught.value.retryable) == ("host_unknown", True)
    with pytest.raises(FetchFailed):
        choose_addresses(check_url("https://files.example/"), lambda host, port: [])


def test_a_resolver_result_that_is_no_address_is_refused() -> None:
    with pytest.raises(FetchRefused):
        choose_addresses(check_url("https://files.example/"), lambda host, port: ["localhost"])
