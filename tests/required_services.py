"""Services and programs that some tests need, and what to do if they are missing."""

from __future__ import annotations

import os
import shutil

import pytest


def require(available: bool, what: str) -> None:
    """Skip the test if `what` is not available; fail instead if REQUIRE_SERVICES is set."""
    if available:
        return
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(f"{what} is required here and does not answer")
    pytest.skip(f"{what} is not on this machine")


def chromium() -> str:
    """Return the path of Chromium, or skip the test."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    require(path is not None, "Chromium")
    assert path is not None
    return path
