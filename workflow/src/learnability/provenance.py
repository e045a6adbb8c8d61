"""A digest of the code that a rule's result depends on: what Snakemake does not see, because it knows no imports."""

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
SCRIPTS = PACKAGE.parent.parent / "scripts"


def code_digest(rule: str) -> str:
    """SHA-256 over the script of `rule` and every package module it imports, directly or not.

    Comments, docstrings and layout do not count: editing them reruns nothing.
    """
    script = SCRIPTS / f"{rule}.py"
    found: dict[str, str] = {}
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if str(path) in found:
            continue
        found[str(path)], imported = read_module(path, path.read_text(encoding="utf-8"))
        waiting.extend(imported)
    text = "\n".join(found[path] for path in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache  # most rules import the same modules
def read_module(path: Path, text: str) -> tuple[str, list[Path]]:
    """What counts of a module's code, and the files of this package that it imports."""
    tree = ast.parse(text)
    imported = imported_modules(tree, path)
    return normal_form(tree), imported


def normal_form(tree: ast.Module) -> str:
    """The code without docstrings and comments, in one layout."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def imported_modules(tree: ast.Module, path: Path) -> list[Path]:
    """Files of this package that a module imports, anywhere in it."""
    names: set[tuple[Path, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= set(import_targets(node, path))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names |= set(import_targets(ast.ImportFrom(alias.name, [], level=0), path))
    files = []
    for folder, name in names:
        for candidate in (folder / f"{name}.py", folder / name / "__init__.py"):
            if candidate.is_file():
                files.append(candidate)
    return files


def import_targets(node: ast.ImportFrom, path: Path) -> list[tuple[Path, str]]:
    """(folder, module) pairs that `from a.b import c` may mean: a, a.b and a.b.c."""
    if node.level:
        folder = path.parents[node.level - 1]
    elif node.module and node.module.split(".")[0] == PACKAGE.name:
        folder = PACKAGE.parent
    else:
        return []
    targets = []
    for part in (node.module or "").split(".") if node.module else []:
        targets.append((folder, part))
        folder = folder / part
    return targets + [(folder, alias.name) for alias in node.names]
