"""The state of a training, between or within epochs, in one safetensors file; no other run resumes from it."""

import errno
import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .interruption import Interruption
from .whole_files import remove_abandoned, written_whole

MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # of Adam
SECONDS_BETWEEN_SAVES = 600  # within an epoch, because a save takes a second or two
SECONDS_BETWEEN_EPOCHS = 60  # after epochs, because an epoch may take less time than its save


class Checkpointer:
    """Keeps a training in a file: call `end_epoch` after each epoch, and `save` within one when `is_due` says so.

    `state` (JSON-serialisable) is the state given, or the saved one; `best` are the best weights so far. Open it around
    the training: SIGTERM and Ctrl-C then end the process at the next save, and the last epochs are saved at the end.
    """

    def __init__(
        self, path: Path, identity: str, model: torch.nn.Module, optimisers: Sequence[torch.optim.Adam], state: dict
    ):
        self.path, self.identity, self.model, self.optimisers = path, identity, model, optimisers
        self.device = next(model.parameters()).device
        self.interruption = Interruption(SECONDS_BETWEEN_SAVES)
        self.best, self.state = load_checkpoint(path, identity, model, optimisers) or ({}, state)
        self.within = self.state.pop("within", {})  # its place in an epoch, if it was saved within one
        self.unsaved = False

    def __enter__(self) -> "Checkpointer":
        self.interruption.__enter__()
        return self

    def __exit__(self, kind: type | None, *error) -> None:
        try:
            if kind is None and (self.unsaved or self.interruption.asked):
                self.save()
        finally:
            self.interruption.__exit__(kind, *error)

    def is_due(self) -> bool:
        """Whether to save now, within an epoch. Ask after each step: it costs less than a microsecond."""
        return self.interruption.is_due()

    def end_epoch(self) -> None:
        """Save, unless the last save is too recent."""
        self.unsaved = True
        if self.interruption.is_due(SECONDS_BETWEEN_EPOCHS):
            self.save()

    def save(self, within: dict | None = None) -> None:
        """Write the checkpoint; `within` says how far an epoch is, and then the random generators are saved too."""
        now = {"within": within | {"generators": generator_states(self.device)}} if within else {}
        save_checkpoint(self.path, self.identity, self.model, self.best, self.optimisers, self.state | now)
        self.unsaved = False
        self.interruption.saved()

    def take_up(self) -> dict:
        """How far the epoch was at a save within it, or {} at its beginning; call this after seeding the epoch."""
        within, self.within = self.within, {}
        if within:
            restore_generators(within["generators"], self.device)
        return within


def remove_checkpoint(path: Path) -> None:
    """Remove the checkpoint of a finished training, and the leftovers of killed writers."""
    path.unlink(missing_ok=True)
    remove_abandoned(path)


def generator_states(device: torch.device) -> dict[str, str]:
    """States, in hexadecimal, of torch's global generators that a training on `device` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return {name: state.numpy().tobytes().hex() for name, state in states.items()}


def restore_generators(states: dict[str, str], device: torch.device) -> None:
    """Set the generators to saved states."""
    tensors = {name: torch.frombuffer(bytearray.fromhex(state), dtype=torch.uint8) for name, state in states.items()}
    torch.set_rng_state(tensors["cpu"])
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)


def save_checkpoint(
    path: Path, identity: str, model: torch.nn.Module, best: dict, optimisers: Sequence, state: dict
) -> None:
    """Write the model, the best weights so far, the moments of each Adam, and `state` (JSON-serialisable)."""
    tensors, moments_of = packed("model", model.state_dict()) | packed("best", best), []
    for number, optimiser in enumerate(optimisers):
        moments = optimiser.state_dict()["state"]  # empty before the first step
        moments_of.append(list(moments))
        for name in MOMENTS:
            tensors |= packed(f"{name}{number}", {index: moment[name] for index, moment in moments.items()})
    metadata = {"identity": identity, "state": json.dumps(state), "moments_of": json.dumps(moments_of)}
    write_tensors(tensors, path, metadata)


def packed(name: str, tensors: dict) -> dict[str, torch.Tensor]:
    """Pack tensors into one per dtype, because every tensor costs safetensors space and time."""
    groups: dict[torch.dtype, list[torch.Tensor]] = {}
    for tensor in tensors.values():
        groups.setdefault(tensor.dtype, []).append(tensor.reshape(-1))
    return {f"{name}/{dtype}": torch.cat(group) for dtype, group in groups.items()}


def unpacked(name: str, file: dict[str, torch.Tensor], like: dict) -> dict:
    """The tensors that were packed under `name`; `like` gives their keys, shapes and order in memory."""
    taken: dict[torch.dtype, int] = {}
    found = {}
    for key, template in like.items():
        start = taken.get(template.dtype, 0)
        taken[template.dtype] = start + template.numel()
        values = file[f"{name}/{template.dtype}"][start : taken[template.dtype]]
        found[key] = torch.empty_like(template).copy_(values.view(template.shape))
    return found


def write_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file. A full disk raises OSError, which safetensors itself does not do.

    Tensors that share memory, such as layers that a network uses twice, are copied: safetensors refuses them.
    """
    whole, seen = {}, set()
    for key, value in tensors.items():
        memory = value.untyped_storage().data_ptr()
        whole[key] = value.clone(memory_format=torch.contiguous_format) if memory in seen else value.contiguous()
        seen.add(memory)
    with written_whole(path) as temporary:
        try:
            save_file(whole, temporary, metadata)
        except SafetensorError as error:
            cause = re.search(r"os error (\d+)", str(error))
            raise OSError(int(cause[1]) if cause else errno.EIO, str(error)) from error


def load_checkpoint(
    path: Path, identity: str, model: torch.nn.Module, optimisers: Sequence
) -> tuple[dict, dict] | None:
    """Restore model and optimisers; return (best, state), or None if nothing has this identity."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("identity") != identity:
                print(f"{path}: left by another recipe, code, data, seed or kind of device; discarded", flush=True)
                return None
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        print(f"{path}: unreadable ({error}); discarded", flush=True)
        return None
    for number, (optimiser, moments_of) in enumerate(zip(optimisers, json.loads(metadata["moments_of"]), strict=True)):
        restore_moments(optimiser, number, moments_of, tensors)
    template = model.state_dict()
    model.load_state_dict(unpacked("model", tensors, template))
    has_best = any(key.startswith("best/") for key in tensors)
    return unpacked("best", tensors, template) if has_best else {}, json.loads(metadata["state"])


def restore_moments(optimiser, number: int, moments_of: list[int], tensors: dict[str, torch.Tensor]) -> None:
    """Give an Adam its saved moments, each in the memory order of its weight."""
    weights = dict(enumerate(weight for group in optimiser.param_groups for weight in group["params"]))
    weights = {index: weights[index] for index in moments_of}
    like = {"exp_avg": weights, "exp_avg_sq": weights, "step": dict.fromkeys(weights, torch.tensor(0.0))}
    moments = {name: unpacked(f"{name}{number}", tensors, like[name]) for name in MOMENTS}
    by_weight = {index: {name: moments[name][index] for name in MOMENTS} for index in weights}
    optimiser.load_state_dict({"state": by_weight, "param_groups": optimiser.state_dict()["param_groups"]})
