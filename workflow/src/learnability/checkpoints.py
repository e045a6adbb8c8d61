"""The state of a training after an epoch, in one safetensors file; one of another run is never resumed from."""

import errno
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .store import written_whole


def save_checkpoint(path: Path, identity: str, modules: dict[str, torch.nn.Module], best: dict, optimiser, state: dict):
    """Write modules, the best weights so far, Adam's moments, and `state` (JSON-serialisable)."""
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    tensors |= {f"best/{key}": value for key, value in best.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{key}": value for key, value in moments.items()}
    write_tensors(tensors, path, {"identity": identity, "state": json.dumps(state)})


def write_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file; a full disk is an OSError here as everywhere, which safetensors does not make it."""
    with written_whole(path) as temporary:
        try:
            save_file({key: value.contiguous() for key, value in tensors.items()}, temporary, metadata)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error)) from error


def load_checkpoint(
    path: Path, identity: str, modules: dict[str, torch.nn.Module], optimiser
) -> tuple[dict, dict] | None:
    """Restore modules and optimiser; return (best, state), or None where there is nothing of this identity."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("identity") != identity:
                print(f"{path}: left by another recipe, code, data or seed; discarded", flush=True)
                return None
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        print(f"{path}: unreadable ({error}); discarded", flush=True)
        return None
    for name, module in modules.items():
        module.load_state_dict(_under(tensors, name))
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    moments: dict[int, dict] = {}
    for key, value in _under(tensors, "optimiser").items():
        index, entry = key.split("/")
        if value.dim():  # fused Adam reads moments in the order in memory of their weight, channels last
            value = torch.empty_like(weights[int(index)]).copy_(value)
        moments.setdefault(int(index), {})[entry] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return _under(tensors, "best"), json.loads(metadata["state"])


def _under(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    prefix = f"{name}/"
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
