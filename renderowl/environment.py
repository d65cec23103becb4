"""Typed readers of environment variables. An invalid value stops the process with an error that names the variable."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from api.deprecations import Deprecation, parse_deprecations, parse_feature_switches
from api.response_cache.store import CacheRule
from credits.pricing import parse_credits
from renders.external.pools import parse_pools

env = environ.Env()


def database_config(url: str) -> dict[str, Any]:
    """Return Django's settings for a database URL.

    Raises ImproperlyConfigured, without the URL, as it may contain a password.
    """
    if not url.startswith(("sqlite:", "postgres:", "postgresql:")):
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgres://.")
    return dict(env.db_url_config(url))


def secret(name: str, default: str = "") -> str:
    """Return the variable, or the stripped content of the file in `<name>_FILE`.

    Raises ImproperlyConfigured if the file cannot be read or both are set.
    """
    value = os.environ.get(name, "")
    file_name = os.environ.get(f"{name}_FILE", "")
    if not file_name:
        return value or default
    if value:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from error


def positive_int(name: str, default: int) -> int:
    """Return the variable as an integer of at least 1; raise ImproperlyConfigured otherwise."""
    return _whole_number(name, default, least=1, what="a whole number above zero")


def not_negative_int(name: str, default: int) -> int:
    """Return the variable as an integer of at least 0; raise ImproperlyConfigured otherwise."""
    return _whole_number(name, default, least=0, what="zero or a whole number above it")


def _whole_number(name: str, default: int, *, least: int, what: str) -> int:
    raw = os.environ.get(name, "")
    if not raw:
        return default
    if not raw.isascii() or not raw.isdigit() or int(raw) < least:
        raise ImproperlyConfigured(f"{name} must be {what}, not {raw!r}.")
    return int(raw)


def credit_amount(name: str, default: str) -> int:
    """Return the variable, an amount of credits such as `2.50`, in hundredths.

    Raises ImproperlyConfigured if it is not an amount or is negative.
    """
    raw = os.environ.get(name, "") or default
    try:
        hundredths = parse_credits(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be an amount of credits, not {raw!r}: {error}.") from error
    if hundredths < 0:
        raise ImproperlyConfigured(f"{name} must not be negative.")
    return hundredths


def host_list(name: str) -> list[tuple[str, int | None]]:
    """Return comma-separated `host` or `host:port` items as pairs; a port of None allows any."""
    items: list[tuple[str, int | None]] = []
    for part in os.environ.get(name, "").split(","):
        text = part.strip().lower()
        if not text:
            continue
        host, colon, port = text.rpartition(":")
        if colon and port.isdigit() and not host.endswith(":"):
            items.append((host.strip("[]"), int(port)))
        else:
            items.append((text.strip("[]"), None))
    return items


def port_list(name: str, default: str) -> frozenset[int]:
    """Return comma-separated ports; raise ImproperlyConfigured if one is invalid."""
    parts = [part.strip() for part in (os.environ.get(name, "") or default).split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 65535 for part in parts):
        raise ImproperlyConfigured(f"{name} must be ports, such as 443,8443.")
    return frozenset(map(int, parts))


def seconds_list(name: str, default: str) -> tuple[float, ...]:
    """Return comma-separated numbers of seconds; raise ImproperlyConfigured if one is invalid or negative."""
    try:
        seconds = tuple(float(part) for part in (os.environ.get(name, "") or default).split(","))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be seconds, such as 5,300,1800.") from None
    if not all(0 <= value < 1e9 for value in seconds):
        raise ImproperlyConfigured(f"{name} must be seconds, such as 5,300,1800.")
    return seconds


def one_of(name: str, default: str, choices: Collection[str]) -> str:
    """Return the variable in lower case; raise ImproperlyConfigured if it is not one of the choices."""
    value = os.environ.get(name, "").strip().lower() or default
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def traces_exporter() -> str:
    """Return the exporter of spans from OpenTelemetry's variables: `otlp`, `console`, or empty for none.

    Raises ImproperlyConfigured for unsupported exporters and protocols.
    """
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    default = "otlp" if any(map(os.environ.get, endpoints)) else "none"
    chosen = one_of("OTEL_TRACES_EXPORTER", default, ("otlp", "console", "none"))
    if chosen == "none" or env.bool("OTEL_SDK_DISABLED", default=False):
        return ""
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        one_of(name, "http/protobuf", ("http/protobuf",))
    return chosen


def log_format(*, is_debug: bool) -> str:
    """Return LOG_FORMAT, `json` or `text`; by default text in debug mode and on a terminal."""
    default = "text" if is_debug or sys.stderr.isatty() else "json"
    return one_of("LOG_FORMAT", default, ("json", "text"))


def api_deprecations(name: str) -> tuple[Deprecation, ...]:
    """Return the deprecations in the variable: `v1=2027-01-01/2027-12-31, v2:render-log=2027-06-01`.

    Raises ImproperlyConfigured if it cannot be parsed. System checks validate the dates.
    """
    try:
        return parse_deprecations(os.environ.get(name, ""))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def feature_switches(name: str) -> dict[tuple[int, str], bool]:
    """Return the feature switches in the variable: `v2:long_poll=off`.

    Raises ImproperlyConfigured if it cannot be parsed.
    """
    try:
        return parse_feature_switches(os.environ.get(name, ""))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def cache_rules(name: str, defaults: Mapping[str, tuple[int, int]]) -> dict[str, CacheRule]:
    """Return the response cache rules, the defaults overridden by the variable: `render-list=60/5,asset-list=0`.

    Raises ImproperlyConfigured if it cannot be parsed or names a route that is never cached.
    """
    rules = {route: CacheRule(*seconds) for route, seconds in defaults.items()}
    for part in filter(None, (text.strip() for text in os.environ.get(name, "").split(","))):
        route, _, seconds = part.partition("=")
        ttl_s, _, max_age_s = seconds.partition("/")
        if route not in rules or not ttl_s.isdecimal() or not (max_age_s or "0").isdecimal():
            raise ImproperlyConfigured(f"{name}: {part!r} is not ROUTE=SECONDS[/SECONDS] of {', '.join(rules)}.")
        rules[route] = CacheRule(int(ttl_s), int(max_age_s or 0))
    return rules


def pool_secrets(name: str) -> dict[str, tuple[bytes, ...]]:
    """Return the secrets of each worker pool: `whsec_..., gpu=whsec_..., gpu=whsec_...`.

    Raises ImproperlyConfigured, without the secrets, if they cannot be parsed or are too weak.
    """
    try:
        return parse_pools(secret(name))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from None


def local_secret_key(data_dir: Path) -> str:
    """Return the secret key of a development installation, created once and shared by its processes."""
    path = data_dir / "secret_key"
    data_dir.mkdir(parents=True, exist_ok=True)
    if path.exists():
        # Write nothing, so that commands that free space run on a full disk.
        return path.read_text(encoding="utf-8").strip()
    try:
        # Exclusive creation: processes that start concurrently must agree on one key.
        with os.fdopen(os.open(f"{path}.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(get_random_secret_key())
        os.link(f"{path}.{os.getpid()}", path)
    except FileExistsError:
        pass
    finally:
        Path(f"{path}.{os.getpid()}").unlink(missing_ok=True)
    return path.read_text(encoding="utf-8").strip()
