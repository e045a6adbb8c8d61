"""The weights that a network starts from: where they are, and what of them is taken."""

import os
import string
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..storage.vouched import refuse_damaged_fetch

if TYPE_CHECKING:
    from torch import nn

FILE = "model.safetensors"  # as timm's repositories on the hub name it


def pretrained_file(entry: dict, fetched: str | None = None) -> Path:
    """The weights file of a `pretrained` entry: beside the record of fetch_weights, else in the folder `source`."""
    if fetched:
        refuse_damaged_fetch(Path(fetched))
        return Path(fetched).with_name(FILE)
    source = entry["source"]
    unset = [name for name in string.Template(source).get_identifiers() if name not in os.environ]
    if unset:
        raise InputError(f"source {source}: set the environment variable {unset[0]} to the folder of the weights")
    path = Path(os.path.expandvars(source)).expanduser() / FILE
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected the weights of a timm model there")
    return path


def read_weights(path: Path) -> dict:
    """The tensors of a safetensors file, by name; raises InputError where it is missing or is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"{path} does not exist; expected the weights of a network there")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); fetch or make it again") from error


def load_weights(network: "nn.Module", weights: dict, fresh: tuple[str, ...] = ()) -> str:
    """Give a network its weights, except for the layers `fresh`; say which others do not fit, or say nothing.

    Every tensor of the network must be in `weights` with its shape, and nothing else may be.
    """
    own = network.state_dict()
    taken = {key: value for key, value in weights.items() if key.rpartition(".")[0] not in fresh}
    wrong = [
        f"{key} is {tuple(value.shape)}, expected {tuple(own[key].shape)}"
        for key, value in taken.items()
        if key in own and value.shape != own[key].shape
    ]
    if not wrong:
        result = network.load_state_dict(taken, strict=False)  # older files hold no counter of batch norm's batches
        wrong += [f"{key} is missing" for key in result.missing_keys if key.rpartition(".")[0] not in fresh]
        wrong += [f"{key} is not part of the network" for key in result.unexpected_keys]
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
