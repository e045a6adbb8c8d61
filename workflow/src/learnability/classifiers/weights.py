"""Where the weights are that a network starts from: a folder of the user's, or what fetch_weights brought."""

import os
import string
from pathlib import Path

from ..contracts import InputError

FILE = "model.safetensors"  # as timm's repositories on the hub name it


def pretrained_file(entry: dict, fetched: str | None = None) -> Path:
    """The weights file of a `pretrained` entry: beside the record of fetch_weights, else in the folder `source`."""
    if fetched:
        return Path(fetched).with_name(FILE)
    source = entry["source"]
    unset = [name for name in string.Template(source).get_identifiers() if name not in os.environ]
    if unset:
        raise InputError(f"source {source}: set the environment variable {unset[0]} to the folder of the weights")
    path = Path(os.path.expandvars(source)).expanduser() / FILE
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected the weights of a timm model there")
    return path
