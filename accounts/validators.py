"""Checks of what people type, for serializers and forms alike."""

from __future__ import annotations

import ipaddress

MOST_NETWORKS = 50


def normalise_network(text: str) -> str:
    """Return a CIDR block (or single address) in its canonical form.

    Raises ValueError for anything else.
    """
    return str(ipaddress.ip_network(text.strip(), strict=False))
