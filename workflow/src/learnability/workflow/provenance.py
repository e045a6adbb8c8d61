"""A digest of the code that a job's result depends on. Snakemake does not see that code, because it follows no imports.

The digest covers what can change a result. It ignores comments, docstrings, layout, annotations, import lines, the
names and places of modules, and the words of errors and printed lines.
"""

import ast
import atexit
import contextlib
import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import learnability

PACKAGE = Path(learnability.__file__).parent
SCRIPTS = PACKAGE.parent.parent / "scripts"
REGISTRY = "registry"  # names modules without importing them; `code_digest` gets those that a job's values name
FIELD = ast.Constant(None)  # replaces every annotation in a class
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_digest(rule: str, modules: Iterable[str] = ()) -> str:
    """SHA-256 over the script of `rule`, the `modules` that the job's values name, and all that these import.

    `modules` are names below the package, such as training.losses.ldam_drw. The top-level statements of all files are
    sorted, so moving a function from one file to another changes nothing.
    """
    found = [text for path in closure(rule, modules) for text in read_module(path, path.read_text("utf-8"))[0]]
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()


def closure(rule: str, modules: Iterable[str] = ()) -> list[Path]:
    """The files that `code_digest` covers, sorted."""
    waiting = [SCRIPTS / f"{rule}.py", *(PACKAGE.joinpath(*name.split(".")).with_suffix(".py") for name in modules)]
    waiting += [init for name in modules for init in packages_above(name)]
    found = set()
    while waiting:
        path = waiting.pop()
        if path not in found and path != PACKAGE / f"{REGISTRY}.py":
            found.add(path)
            waiting.extend(read_module(path, path.read_text("utf-8"))[1])
    return sorted(found)


def packages_above(name: str) -> list[Path]:
    """The __init__.py of every package that Python runs before the module `name`."""
    parts = name.split(".")[:-1]
    return [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]


def package_digest() -> str:
    """SHA-256 over every script and module, as `code_digest` takes them."""
    paths = [*sorted(SCRIPTS.glob("*.py")), *sorted(PACKAGE.rglob("*.py"))]
    found = [text for path in paths for text in read_module(path, path.read_text("utf-8"))[0]]
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()


@functools.cache  # most rules import the same modules
def read_module(path: Path, text: str) -> tuple[list[str], list[Path]]:
    """The normal form of each top-level statement of a module, and the files of this package that it imports."""
    key = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()
    if key not in kept():
        tree = ast.parse(text)
        imported = sorted(map(str, imported_modules(tree, path)))
        kept()[key] = [[*map(ast.unparse, NormalForm().visit(tree).body)], imported]
    statements, imported = kept()[key]
    return statements, [Path(file) for file in imported]


@functools.cache
def kept() -> dict[str, list]:
    """Earlier results of read_module, by path and text: parsing all modules takes as long as planning 100 jobs.

    They are in .snakemake, beside Snakemake's own records of the folder. They are valid for exactly this list of files
    and this module, and are written when the process ends.
    """
    names = "\n".join(map(str, sorted(PACKAGE.rglob("*.py"))))
    state = hashlib.sha256(f"{sys.version}\n{names}\n{Path(__file__).read_text('utf-8')}".encode()).hexdigest()
    file = Path(".snakemake").absolute() / "learnability_modules.json"
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        content = {}
    found = content["modules"] if isinstance(content, dict) and content.get("state") == state else {}
    before = set(found)

    def keep() -> None:
        if set(found) != before and file.parent.is_dir():
            new = file.with_suffix(f".{os.getpid()}")
            with contextlib.suppress(OSError):  # a folder without write permission, or a full disk
                new.write_text(json.dumps({"state": state, "modules": found}), "utf-8")
                new.replace(file)

    atexit.register(keep)
    return found


class NormalForm(ast.NodeTransformer):
    """Removes from a syntax tree what cannot change a result."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        super().generic_visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]
        return node

    def visit_Import(self, node: ast.AST) -> None:
        return None

    visit_ImportFrom = visit_Import

    def visit_If(self, node: ast.If) -> ast.AST | None:
        only_for_checkers = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if only_for_checkers else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for child in node.body:
            if isinstance(child, ast.AnnAssign):  # it may be a dataclass field, which counts, whatever its type
                child.annotation = FIELD
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.annotation is FIELD:
            return self.generic_visit(node)
        return self.generic_visit(ast.Assign([node.target], node.value, lineno=0)) if node.value else None

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise(without_arguments(node.exc), None)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return self.generic_visit(ast.Assert(node.test, None))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        prints = isinstance(node.func, ast.Name) and node.func.id == "print"
        return without_arguments(node) if prints else self.generic_visit(node)


def without_arguments(node: ast.AST | None) -> ast.AST | None:
    """Remove a call's arguments, such as the words of an error or a printed line."""
    return ast.Call(node.func, [], []) if isinstance(node, ast.Call) else node


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
