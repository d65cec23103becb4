"""Typed reading of the environment. A value that cannot be read stops the boot with its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from core.api.marks import Mark, parse_marks, parse_switches

env = environ.Env()


def database_config(url: str) -> dict[str, Any]:
    """Return Django's settings of a database.

    Raises ImproperlyConfigured, without the URL, which may hold a password.
    """
    if not url.startswith(("sqlite:", "postgres:", "postgresql:")):
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgres://.")
    return dict(env.db_url_config(url))


def secret(name: str, default: str = "") -> str:
    """Return the variable, or the stripped content of the file that `<name>_FILE` names.

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
    """Return the variable as a whole number above zero.

    Raises ImproperlyConfigured if it is anything else.
    """
    raw = os.environ.get(name, "")
    if not raw:
        return default
    if not raw.isascii() or not raw.isdigit() or int(raw) == 0:
        raise ImproperlyConfigured(f"{name} must be a whole number above zero, not {raw!r}.")
    return int(raw)


def host_list(name: str) -> list[tuple[str, int | None]]:
    """Return `host` and `host:port` items as pairs; the port is None where any will do."""
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


def deprecation_marks(name: str) -> tuple[Mark, ...]:
    """Return what the variable marks as deprecated: `v1=2027-01-01/2027-12-31, v2:render-log=2027-06-01`.

    Raises ImproperlyConfigured if it cannot be read. Whether the dates make sense is for the system checks.
    """
    try:
        return parse_marks(os.environ.get(name, ""))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def feature_switches(name: str) -> dict[tuple[int, str], bool]:
    """Return what the variable switches on and off: `v2:long_poll=off`.

    Raises ImproperlyConfigured if it cannot be read.
    """
    try:
        return parse_switches(os.environ.get(name, ""))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def local_secret_key(data_dir: Path) -> str:
    """Return the key of a development installation, made once and shared by all of its processes."""
    path = data_dir / "secret_key"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        # Exclusive creation: two processes that start together must not end with two keys.
        with os.fdopen(os.open(f"{path}.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(get_random_secret_key())
        os.link(f"{path}.{os.getpid()}", path)
    except FileExistsError:
        pass
    finally:
        Path(f"{path}.{os.getpid()}").unlink(missing_ok=True)
    return path.read_text(encoding="utf-8").strip()
