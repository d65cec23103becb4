"""Parsers for response headers, independent of the code that writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_TARGET = re.compile(r"\s*<([^<>]*)>")
_PARAMETER = re.compile(r"\s*;\s*([A-Za-z0-9!#$&+.^_`|~-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\";,]+))")


def read_deprecation(text: str) -> datetime:
    """RFC 9745: an item of structured fields that is a date. RFC 9651 3.3.7: `@` and an integer of 1 to 15 digits."""
    match = re.fullmatch(r"@(-?[0-9]{1,15})", text)
    assert match, text
    return datetime.fromtimestamp(int(match[1]), UTC)


def read_sunset(text: str) -> datetime:
    """RFC 9110 5.6.7: an IMF-fixdate."""
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", text), text
    moment = parsedate_to_datetime(text)
    assert moment.strftime("%a") == text[:3]
    return moment


def read_links(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """RFC 8288: relation -> (target, other parameters)."""
    links: dict[str, tuple[str, dict[str, str]]] = {}
    position = 0
    while position < len(text):
        target = _TARGET.match(text, position)
        assert target, text[position:]
        position = target.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(text, position):
            parameters[parameter[1].lower()] = parameter[2] if parameter[2] is not None else parameter[3]
            position = parameter.end()
        for relation in parameters.pop("rel").split():
            assert relation not in links
            links[relation] = (target[1], parameters)
        separator = re.compile(r"\s*(,|$)").match(text, position)
        assert separator, text[position:]
        position = separator.end()
    return links
