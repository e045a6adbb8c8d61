"""The folder that holds the weights of an autoencoder's entry."""

import os
import string
from pathlib import Path


def base_folder(entry: dict) -> Path:
    """Return `folder`, with weights that the workflow fetched or fine-tuned, or else the user's `source`."""
    return Path(entry["folder"]) if "folder" in entry else local_folder(entry["source"])


def local_folder(source: str) -> Path:
    return Path(os.path.expanduser(os.path.expandvars(source)))  # Path raises for the ~name of an unknown user


def unset_variable(entry: dict) -> str | None:
    """The environment variable that an entry's source names but that is not set, if any."""
    names = string.Template(entry["source"]).get_identifiers() if "folder" not in entry else []
    return next((name for name in names if name not in os.environ), None)
