"""Names and prose use the terms of the field."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from tests.architecture.source import ROOT, product_files

PACKAGES = [path.parent for path in ROOT.glob("*/__init__.py")] + [ROOT / "bench"]
PROSE = [path for package in PACKAGES for path in package.rglob("*.py")]
PROSE += [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
# Vague words used in place of a client, a caller, a worker or a user.
VAGUE = re.compile(r"\b(no|some)body\b|\bwho[e]ver\b|\bane[w]\b", re.IGNORECASE)
MAX_VAGUE_LINES = 20
# Classes of the edit model and of the resolved timeline that describe the same thing.
SHARED_NAMES = {"ChromaKey", "Crop", "Soundtrack", "Timeline", "Transition"}


def module_classes() -> dict[str, list[str]]:
    """Return the modules that define each public class, without commands and the configurations of apps."""
    found = defaultdict(list)
    for path in product_files():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(ROOT)))
    return {name: paths for name, paths in found.items() if name != "Command" and not name.endswith("Config")}


def test_prose_names_who_acts() -> None:
    texts = {path.relative_to(ROOT): path.read_text() for path in PROSE}
    lines = [f"{path}: {line}" for path, text in texts.items() for line in text.splitlines() if VAGUE.search(line)]
    assert len(texts) > 900
    assert len(lines) <= MAX_VAGUE_LINES, "\n".join(lines)


def test_limits_are_named_as_limits() -> None:
    names = {
        f"{path.relative_to(ROOT)}: {node.id}"
        for path in product_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and re.match(r"_?(MOST|LONGEST|LARGEST)_", node.id)
    }
    assert names == set(), "MAX_..."


def test_a_public_class_name_has_one_meaning() -> None:
    shared = {name: paths for name, paths in module_classes().items() if len(paths) > 1}
    assert shared.keys() <= SHARED_NAMES, {name: shared[name] for name in shared.keys() - SHARED_NAMES}
