"""Where the class of an autoencoder is, the user's own or one of diffusers; asked by checks, so nothing heavy here."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

from ..contracts import InputError, digest, file_digest
from .folders import base_folder, unset_variable


def find_module(name: str) -> Path:
    """The source file of the module in `module:Class`; looked for on the path and in the working directory."""
    module = name.partition(":")[0]
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # Python adds it for `python -m`, not for the job of a rule
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None or not found.origin:
        raise InputError(
            f"class {name}: there is no module {module}; write it as module:Class, and install the module or put it "
            f"into {os.getcwd()}"
        )
    return Path(found.origin)


def is_in_diffusers(name: str) -> bool:
    """Whether diffusers has a class of this name; importing it to ask would take seconds."""
    return f'"{name}"' in Path(importlib.util.find_spec("diffusers").origin).read_text(encoding="utf-8")


def load_class(name: str) -> type:
    """Import `module:Class`; it must have a method `encode`."""
    module = find_module(name)
    found = getattr(importlib.import_module(name.partition(":")[0]), name.partition(":")[2], None)
    if not hasattr(found, "encode"):
        problem = "has no method `encode`" if found else "does not exist"
        raise InputError(f"class {name}: {problem} in {module}; expected encode(x) and, to be decoded, decode(z)")
    return found


def missing_weights(entry: dict) -> str | None:
    """Say why the folder of a user's own class cannot be had, and what to do; or None."""
    if name := unset_variable(entry):
        return f"set the environment variable {name} to the folder of the weights"
    if not base_folder(entry).is_dir():
        return f"{base_folder(entry)} is not a folder; expected the weights of {entry['class']} there"
    return None


def weights_digest(entry: dict) -> str:
    """Digest of the class's file and of all files below its `source`: it may read any of them."""
    roots = [base_folder(entry)] if "source" in entry else []
    read = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
    return digest([file_digest(path) for path in [find_module(entry["class"]), *read]])
