"""System checks of the API app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import get_resolver

from api.features import features
from api.lifecycle import configured_deprecations

MIN_RETENTION_S = 3600
MAX_RETENTION_S = 30 * 24 * 3600


@register(Tags.caches)
def check_cache_url(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Reject a CACHE_URL with an unsupported scheme."""
    if settings.RENDEROWL_CACHE_URL.startswith(("sqlite:///", "redis://", "rediss://")):
        return []
    return [
        Error(
            "CACHE_URL has an unsupported scheme.",
            hint="Use sqlite:///path/to/file, redis://host:6379/0 or rediss://host:6379/0.",
            id="renderowl.E005",
        )
    ]


@register(Tags.compatibility)
def check_idempotency_retention(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Reject a retention that ends while clients still retry, or lasts longer than is useful."""
    if MIN_RETENTION_S <= settings.RENDEROWL_IDEMPOTENCY_RETENTION_S <= MAX_RETENTION_S:
        return []
    return [
        Error(
            f"IDEMPOTENCY_RETENTION_S is {settings.RENDEROWL_IDEMPOTENCY_RETENTION_S}.",
            hint=f"Choose {MIN_RETENTION_S} (an hour) to {MAX_RETENTION_S} (30 days).",
            id="renderowl.E010",
        )
    ]


@register(Tags.urls)
def check_api_deprecations(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Reject deprecations with too little notice, and those of versions or routes that do not exist."""
    faults = [fault for deprecation in configured_deprecations() if (fault := deprecation.validation_error())]
    for deprecation in configured_deprecations():
        if deprecation.version not in settings.RENDEROWL_API_VERSIONS:
            faults.append(f"there is no version {deprecation.version}")
        elif deprecation.route and deprecation.route not in _route_names(deprecation.version):
            faults.append(f"version {deprecation.version} has no route named {deprecation.route}")
        elif not deprecation.route and deprecation.version == max(settings.RENDEROWL_API_VERSIONS):
            faults.append(f"version {deprecation.version} is the newest, so clients could not migrate")
    return [
        Error(
            f"API_DEPRECATIONS: {fault}.",
            hint="A sunset is never earlier than the deprecation and at least 180 days after it.",
            id="renderowl.E003",
        )
        for fault in faults
    ]


@register(Tags.compatibility)
def check_api_features(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Reject switches of unknown features, and an unknown default version."""
    faults = []
    for version, name in settings.RENDEROWL_API_FEATURES:
        feature = features.get(name)
        if feature is None or version not in settings.RENDEROWL_API_VERSIONS or not feature.fits(version):
            faults.append(f"API_FEATURES: version {version} can have no feature {name}")
        elif feature.is_fixed:
            faults.append(f"API_FEATURES: {name} is a part of version {version} and cannot be switched")
    if settings.RENDEROWL_DEFAULT_API_VERSION not in settings.RENDEROWL_API_VERSIONS:
        faults.append(f"DEFAULT_API_VERSION: there is no version {settings.RENDEROWL_DEFAULT_API_VERSION}")
    return [
        Error(f"{fault}.", hint="GET /api/v2/meta lists versions and flags.", id="renderowl.E004") for fault in faults
    ]


def _route_names(version: int) -> set[str]:
    namespaces: dict[str, Any] = get_resolver().namespace_dict
    _, resolver = namespaces[f"v{version}"]
    return {name for name in resolver.reverse_dict if isinstance(name, str)}
