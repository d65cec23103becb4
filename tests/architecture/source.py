"""Analysis of the source code: environment variables read, commands called, routes checked."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
ENVIRONMENT = ROOT / "renderowl/environment.py"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
# Not a bare `environ`, which is the name of a WSGI environment.
_READERS = {"os.environ.get", "os.environ.pop", "os.getenv"}
_MAPPINGS = {"os.environ"}
_CALLERS = {"call_command", "manage", "_manage"}


def local_apps() -> set[str]:
    """Return the packages beside manage.py that are Django apps."""
    return {path.parent.name for path in ROOT.glob("*/apps.py")}


def product_files() -> list[Path]:
    """Return the modules of the product, without tests, benchmarks and migrations."""
    packages = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    found = [path for package in packages for path in sorted(package.rglob("*.py"))]
    return [ROOT / "manage.py", *(path for path in found if "migrations" not in path.parts)]


def variables_read(path: Path) -> set[str]:
    """Return the environment variables that a module reads, directly or by a helper of renderowl.environment."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    helpers = _helpers_of(tree, path)
    found = set()
    for node in ast.walk(tree):
        if (name := _name_read(node, helpers)) is not None:
            value = constants.get(name.id) if isinstance(name, ast.Name) else getattr(name, "value", None)
            if isinstance(value, str) and _VARIABLE.fullmatch(value):
                found.add(value)
    return found


def commands_called(path: Path) -> set[str]:
    """Return the management commands that a test module calls, in its own or another process."""
    return set(_commands(ast.parse(path.read_text())))


def routes_in_matrix(path: Path) -> set[str]:
    """Return the routes whose permissions a test module checks, by `Access("name", ...)`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]
    names = [call.args[0] for call in calls if ast.unparse(call.func).rpartition(".")[2] == "Access"]
    return {str(name.value) for name in names if isinstance(name, ast.Constant)}


def _helpers_of(tree: ast.Module, path: Path) -> set[str]:
    if path == ENVIRONMENT:
        return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "renderowl.environment"]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def _name_read(node: ast.AST, helpers: set[str]) -> ast.expr | None:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and ast.unparse(node.value) in _MAPPINGS:
        return node.slice
    if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) in _MAPPINGS:
        return node.left
    if isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func)
        if called in _READERS or called in helpers or called.startswith("env."):
            return node.args[0]
    return None


def _commands(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            parts = node.elts
        elif isinstance(node, ast.Call):
            parts = node.args
            if ast.unparse(node.func).rpartition(".")[2] in _CALLERS:
                # A helper named manage() may take the environment before the command.
                rest = parts if not parts or isinstance(parts[0], ast.Constant) else parts[1:]
                parts = [ast.Constant("manage.py"), *rest]
            parts = [*parts, *_commands_by_name(node)]
        else:
            continue
        for before, after in itertools.pairwise(parts):
            if isinstance(before, ast.Constant) and before.value == "manage.py" and isinstance(after, ast.Constant):
                yield str(after.value)


def _commands_by_name(call: ast.Call) -> list[ast.expr]:
    """Return the command of a call with a `command=...` argument, as fixtures take."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == "command"]
    return [ast.Constant("manage.py"), *named] if named else []
