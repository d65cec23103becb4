"""Every index serves a query, and a test finds the index by name in the EXPLAIN of that query."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from core.indexes import NamedIndex

ROOT = Path(settings.BASE_DIR)
MODELS = [
    model for config in apps.get_app_configs() if Path(config.path).parent == ROOT for model in config.get_models()
]
INDEXES = {index.name: index for model in MODELS for index in model._meta.indexes}


@pytest.fixture(scope="module")
def explained() -> str:
    """The source of all tests that use EXPLAIN."""
    texts = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    return "\n".join(text for text in texts if re.search(r"explain", text, re.IGNORECASE))


def test_every_index_is_named_in_an_explain_test(explained) -> None:
    assert len(INDEXES) > 60
    assert sorted(name for name in INDEXES if not re.search(rf"\b{name}\b", explained)) == []


def test_every_index_is_a_named_index() -> None:
    assert [name for name, index in INDEXES.items() if not isinstance(index, NamedIndex)] == []
