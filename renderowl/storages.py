"""Parser of `STORAGE_URL`, used by the settings and therefore independent of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_S3_OPTIONS = frozenset({"endpoint", "region", "prefix", "path_style"})


def storages_from_url(url: str, base_dir: Path) -> dict[str, dict[str, Any]]:
    """Return Django's STORAGES setting for `file://directory` or `s3://bucket?endpoint=...&region=...&prefix=...`.

    A relative directory is relative to `base_dir`. Credentials of S3 come from the usual sources of its client:
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the machine's role.
    Raises ImproperlyConfigured with a message for the operator.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        default = _directory(parts, base_dir)
    elif parts.scheme == "s3":
        default = _bucket(parts)
    else:
        raise ImproperlyConfigured("STORAGE_URL must begin with file:// or s3://.")
    return {"default": default, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


def _directory(parts: SplitResult, base_dir: Path) -> dict[str, Any]:
    if parts.query or parts.fragment:
        raise ImproperlyConfigured("STORAGE_URL: file:// takes a directory and nothing else.")
    name = unquote(parts.netloc + parts.path)
    if not name:
        raise ImproperlyConfigured("STORAGE_URL: file:// needs a directory.")
    location = (base_dir / name).resolve()
    return {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(location)}}


def _bucket(parts: SplitResult) -> dict[str, Any]:
    if not parts.hostname:
        raise ImproperlyConfigured("STORAGE_URL: s3:// needs a bucket.")
    if parts.username or parts.password:
        raise ImproperlyConfigured(
            "STORAGE_URL: credentials of S3 belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(query) - _S3_OPTIONS):
        raise ImproperlyConfigured(f"STORAGE_URL: {unknown[0]} is not an option of s3://.")
    options: dict[str, Any] = {
        "bucket_name": parts.netloc,
        "location": query.get("prefix", parts.path).strip("/"),
        "endpoint_url": query.get("endpoint") or None,
        "region_name": query.get("region") or None,
        # Servers with a custom endpoint rarely have a host name per bucket.
        "addressing_style": "path" if query.get("path_style", "1" if "endpoint" in query else "0") == "1" else "auto",
        "signature_version": "s3v4",
    }
    return {"BACKEND": "files.storage.bucket.BucketStorage", "OPTIONS": options}
