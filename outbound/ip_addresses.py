"""Public IP addresses, the only ones that requests on behalf of clients may reach."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# Everything that IANA lists as not globally reachable, and what only attackers would use.
# Source: IANA IPv4 and IPv6 Special-Purpose Address Registries. Spelled out, as `is_private` and `is_global` of
# the standard library differ between Python versions and pass NAT64, 6to4 and multicast.
_BLOCKED_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT; clouds put their metadata there
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; the metadata address of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, retired
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_BLOCKED_CLOUD = frozenset(
    {
        IPv4Address("168.63.129.16"),  # a cloud's host agent at a public address
        IPv6Address("fd00:ec2::254"),
    }
)
_GLOBAL_V6 = IPv6Network("2000::/3")  # the only global unicast space that has been allocated
_BLOCKED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
        "2002::/16",  # 6to4, retired
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")

Address = IPv4Address | IPv6Address


def is_public_address(address: Address) -> bool:
    """Return whether an address is global unicast, and so is every IPv4 address embedded in it.

    A translated address (IPv4-mapped, NAT64) is judged by the IPv4 address alone. 6to4 and Teredo are always refused,
    as no legitimate server uses them.
    """
    if isinstance(address, IPv6Address):
        inner = _translated(address)
        return _is_public_v6(address) if inner is None else _is_public_v4(inner)
    return _is_public_v4(address)


def _translated(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_public_v4(address: IPv4Address) -> bool:
    return address not in _BLOCKED_CLOUD and not any(address in block for block in _BLOCKED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address in _BLOCKED_CLOUD or address in _COMPATIBLE:
        return False
    return address in _GLOBAL_V6 and not any(address in block for block in _BLOCKED_V6)


def parse_address(text: str) -> Address | None:
    """Parse an address from a resolver; None if it is malformed."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
