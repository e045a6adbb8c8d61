"""Where an autoencoder's class is, an own one or one of diffusers; checks use this, so it imports nothing heavy."""

import ast
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ...errors import InputError
from ...storage.contracts import digest, file_digest
from .folders import base_folder, local_folder, unset_variable


def find_module(name: str) -> Path:
    """Find the source file of the module in `module:Class`, on the path and in the working directory."""
    module = name.partition(":")[0]
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # Python adds it for `python -m`, not for the job of a rule
    try:
        found = importlib.util.find_spec(module) if module != "__main__" else None  # that is the program itself
    except (ModuleNotFoundError, ValueError):  # ValueError: not a module name
        found = None
    except Exception as error:  # importing the package around the module may raise anything
        raise InputError(f"class {name}: {module} cannot be looked for ({error!r}); fix its package") from error
    if found is None or not found.origin:
        what = "no module" if found is None else "no file of the module"
        raise InputError(
            f"class {name}: there is {what} {module}; write it as module:Class, and install the module "
            f"or put it into {os.getcwd()}"
        )
    if not os.path.isfile(found.origin):  # such as "frozen" and "built-in"
        raise InputError(
            f"class {name}: {module} is a part of Python itself; name the module of an autoencoder of your own"
        )
    return Path(found.origin)


def is_in_diffusers(name: str) -> bool:
    """Whether diffusers has a class of this name, found without the seconds that importing it takes."""
    return f'"{name}"' in Path(importlib.util.find_spec("diffusers").origin).read_text(encoding="utf-8")


def load_class(name: str) -> type:
    """Import `module:Class`, which must have a method `encode`."""
    module = find_module(name)
    found = getattr(importlib.import_module(name.partition(":")[0]), name.partition(":")[2], None)
    if not hasattr(found, "encode"):
        problem = "has no method `encode`" if found else "does not exist"
        raise InputError(f"class {name}: {problem} in {module}; expected encode(x) and, to be decoded, decode(z)")
    return found


def missing_weights(entry: dict) -> str | None:
    """Say why an own class, or the folder that it reads, is not available, and what to do; or None."""
    try:
        find_module(entry["class"])
    except InputError as error:
        return str(error)
    if "source" not in entry:
        return None
    if name := unset_variable(entry):
        return f"set the environment variable {name} to the folder of the weights"
    if not base_folder(entry).is_dir():
        return f"{base_folder(entry)} is not a folder; expected the weights of {entry['class']} there"
    return None


def card_digests(entry: dict) -> dict[str, str]:
    return {"weights_digest": digest([file_digest(path) for path in files_read(entry).values()])}


def files_read(entry: dict) -> dict[str, Path]:
    """The class's code, all files below its `source`, and files that its options name: it may read any of them."""
    code, root = source_files(entry["class"])
    files = {f"code {path.relative_to(root)}": path for path in code}
    if "source" in entry:
        folder = base_folder(entry)
        read = [path for path in sorted(folder.rglob("*")) if counts(path, folder)]
        files |= {f"source {path.relative_to(folder)}": path for path in read}
    named = {f"options {key}": local_folder(value) for key, value in leaves(entry.get("options", {}))}
    # os.path returns False for text that cannot be a path, such as one too long; Path raises.
    return files | {key: path for key, path in named.items() if os.path.isfile(path)}


def counts(path: Path, folder: Path) -> bool:
    """Whether a file below a folder may hold weights and was not left by Python, a download or the system."""
    parts = path.relative_to(folder).parts
    return path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts)


def leaves(value, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the strings in a value of the configuration, each with its key."""
    if isinstance(value, str) and value:
        yield key, value
    elif isinstance(value, (dict, list)):
        for inner, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, f"{key}.{inner}" if key else str(inner))


def source_files(name: str) -> tuple[list[Path], Path]:
    """The file of the class in `module:Class`, all files beside it that it imports, and the folder that holds them.

    "Beside it" means in the folder of its topmost package, or for an installed package, within that package.
    """
    first, package = find_module(name), name.partition(":")[0].split(".")
    root = first.parents[len(package) - (first.name != "__init__.py")]
    top = root / package[0] if root.name in ("site-packages", "dist-packages") else root
    found, waiting = [], [first]
    while waiting:
        path = waiting.pop()
        if path not in found and path.suffix == ".py":
            found.append(path)
            waiting += [file for file in imported_files(path, root) if file.is_relative_to(top)]
    return [first, *sorted(path for path in found if path != first)], root


def imported_files(path: Path, root: Path) -> list[Path]:
    """The files below `root` that a Python file imports, anywhere in it."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise InputError(f"{path}: not valid Python: {error}; fix the class of the autoencoder") from None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(root, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base, module = path.parents[node.level - 1] if node.level else root, node.module or ""
            names |= {(base, f"{module}.{alias.name}".lstrip(".")) for alias in node.names} | {(base, module)}
    files = []
    for base, name in names:
        for place in [base, *(base.joinpath(*name.split(".")[:depth]) for depth in range(1, name.count(".") + 2))]:
            # Python also runs every package on the way.
            files += [file for file in (place.parent / f"{place.name}.py", place / "__init__.py") if file.is_file()]
    return files
