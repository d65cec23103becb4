"""The page on the edit format matches the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.language.clip import ASSET_TYPES
from engine.language.presets import ASPECT_RATIOS, PRESET_FPS, RESOLUTIONS, preset_size

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "edit-format.md").read_text(encoding="utf-8")
BEFORE = r'(?:Issue\([^"]*(?:f?"[^"]*",\s*)?|PydanticCustomError\(|return \(|yield Issue\([^,]+, )'
CODE = re.compile(BEFORE + r'"([a-z]+_[a-z_]+)"')


@pytest.mark.parametrize("kind", ASSET_TYPES)
def test_page_names_every_asset(kind):
    assert f"`{kind}`" in PAGE


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_page_gives_every_size(resolution):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{resolution}`")]
    cells = [cell.strip() for cell in row.strip("|").split("|")[1:]]
    assert cells[:-1] == ["{} x {}".format(*preset_size(resolution, ratio)) for ratio in ASPECT_RATIOS]
    assert cells[-1] == str(PRESET_FPS.get(resolution, 25))


def test_page_explains_every_code():
    sources = [*(ROOT / "engine" / "language").glob("*.py"), *(ROOT / "engine" / "timeline").glob("*.py")]
    codes = {code for path in sources for code in CODE.findall(path.read_text(encoding="utf-8"))}
    assert len(codes) > 20
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
