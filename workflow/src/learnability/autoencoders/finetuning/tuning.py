"""Fine-tune an autoencoder on the images of a dataset, labels unused (the step finetune_autoencoder)."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...errors import InputError
from ...storage.arrays import open_packed
from ...storage.batches import Rows
from ...storage.checkpoints import Checkpointer, remove_checkpoint
from ...storage.contracts import (
    digest,
    file_digest,
    read_folds,
    read_json,
    read_samples,
    refuse_damaged,
    split_rows,
    write_csv,
)
from ...storage.vouched import write_tuning_record
from ...storage.whole_files import own_temporary, remove_abandoned, written_whole
from ..families.diffusers_family import to_image_channels
from ..interface import load_autoencoder, scale_input
from . import lpips_heads
from .adversarial import adaptive_weight, hinge_loss, patch_discriminator
from .demands import check_finetuning, pixels_per_cell
from .equivariance import UNCHANGED, Change, draw_changes
from .parts import draw_latent, last_weight, select_weights, trained_weights
from .perceptual import LPIPS, load_perceptual

NOT_APPLICABLE = "n/a"
CURVES = (
    "absolute_error", "perceptual", "kl", "generator_loss", "adversarial_weight", "discriminator_loss",
)  # fmt: skip


def finetune_autoencoder(
    entry: dict,
    dataset: Path,
    seed: int,
    code: str,
    folder: Path,
    device: torch.device,
    folds: Path | None = None,
    split: dict | None = None,
    backbone: Path | None = None,
) -> None:
    """Fine-tune all weights, or the decoder's, for `steps` steps and write a diffusers folder.

    Its curves are in history.csv; digests of all three files are in tuning.json.

    This is stage 1 of MedVAE's recipe (docs/protocol.md). It uses all images, as a hospital tunes on all that it has;
    with `folds` and `split` (fold, n_splits), only the training rows of that fold. `backbone` is the file of VGG16's
    weights, if the loss has a perceptual term. Resumes from its checkpoint.
    """
    settings = entry["finetune"] | {"input": entry.get("input", "fixed"), "factor": pixels_per_cell(entry)}
    card, images = read_json(dataset / "dataset.json"), open_packed(dataset / "images.npy")
    check_finetuning(entry, card["image_size"])
    refuse_damaged(dataset / "images.npy", card)
    rows = np.arange(len(images)) if split is None else training_rows(dataset, folds, **split)
    # Training is in float32 in any case, because small steps vanish in half precision.
    autoencoder = load_autoencoder(entry | {"torch_dtype": "float32"}, device)
    model = select_weights(autoencoder.model, settings.get("train", "all"))
    torch.set_float32_matmul_precision("high")  # TF32 where the GPU has it
    perceptual = load_perceptual(backbone) if settings["perceptual"] == "lpips" else None
    tuning = Tuning(model, settings, seed, device, perceptual)
    features = [file_digest(path) for path in (backbone, lpips_heads.heads_file())] if perceptual else None
    seen = hashlib.sha256(rows.tobytes()).hexdigest()
    weights = [autoencoder.provenance.get(key) for key in ("weights_digest", "config_digest")]
    identity = digest([settings, card["digest"], seed, code, weights, features, seen, device.type])
    history = tune(tuning, Rows(images, device, channels_last=True, keep=False), rows, identity, folder)
    save_folder(model.to(memory_format=torch.contiguous_format), folder)
    write_csv(pd.DataFrame(history), folder / "history.csv")
    write_tuning_record(folder)
    remove_checkpoint(folder / "checkpoint.safetensors")


def training_rows(dataset: Path, folds: Path, fold: int, n_splits: int) -> np.ndarray:
    """The training rows of fold `fold`: neither its test nor its validation images."""
    refuse_damaged(dataset / "samples.parquet", read_json(dataset / "dataset.json"))
    assigned = read_folds(folds, read_samples(dataset / "samples.parquet"))
    return split_rows(assigned, fold, n_splits)["train"]


def tune(tuning: "Tuning", images: Rows, rows: np.ndarray, identity: str, folder: Path) -> list[dict]:
    """Take all steps, with a checkpoint every `checkpoint_every` steps; return a row of means per checkpoint."""
    settings, checkpoint = tuning.settings, folder / "checkpoint.safetensors"
    with Checkpointer(checkpoint, identity, tuning.networks, tuning.optimisers, {"history": []}) as checkpointer:
        history = checkpointer.state["history"]
        done = history[-1]["step"] if history else 0
        if done or checkpointer.within:
            print(f"resumed after step {done + checkpointer.within.get('taken', 0)}", flush=True)
        while done < settings["steps"]:
            until = min(done + settings["checkpoint_every"], settings["steps"])
            means = train_steps(tuning, images, rows, range(done, until), checkpointer)
            history.append({"step": until} | means)
            shown = (
                f"{name} {mean if mean == NOT_APPLICABLE else format(mean, '.4f')}" for name, mean in means.items()
            )
            print(f"step {until}/{settings['steps']}  " + "  ".join(shown), flush=True)
            checkpointer.save()
            done = until
    return history


def train_steps(
    tuning: "Tuning", images: Rows, rows: np.ndarray, steps: range, checkpointer: Checkpointer
) -> dict[str, float | str]:
    """Take the given steps, or continue them from the last save.

    Returns the mean of each curve over the steps that have it, n/a if none has.
    """
    seed, size = tuning.seed, tuning.settings["batch_size"]
    torch.manual_seed(int(np.random.SeedSequence([seed, steps.start]).generate_state(1)[0]))
    done = checkpointer.take_up() or {"taken": 0, "values": {name: [] for name in CURVES}}
    # Sums stay on the device, because reading a value would make the host wait.
    values = {
        name: [torch.tensor(value, device=checkpointer.device) for value in done["values"][name]] for name in CURVES
    }
    left = steps[done["taken"] :]
    # Each step draws its own rows, so that a resumed run sees the same ones.
    order = [np.random.default_rng([seed, step]).choice(rows, size) for step in left]
    for step, x in zip(left, images.batches(np.concatenate(order), size) if order else (), strict=True):
        for name, value in tuning.step(step, tuning.as_input(x)).items():
            values[name].append(value)
        if checkpointer.is_due():
            read = {name: [float(value) for value in found] for name, found in values.items()}
            checkpointer.save({"taken": step + 1 - steps.start, "values": read})
    means = {name: float(torch.stack(found).mean()) if found else NOT_APPLICABLE for name, found in values.items()}
    finite = all(np.isfinite(mean) for mean in means.values() if mean != NOT_APPLICABLE)
    if not finite or not all(bool(weight.isfinite().all()) for weight in tuning.networks.parameters()):
        raise InputError(f"fine-tuning diverged before step {steps.stop}; lower finetune.lr, or adversarial.lr")
    return means


class Tuning:
    """The networks of a fine-tuning, their optimisers, and its steps."""

    def __init__(
        self, model: nn.Module, settings: dict, seed: int, device: torch.device, perceptual: LPIPS | None = None
    ):
        self.settings, self.seed = settings, seed
        self.perceptual = perceptual
        self.networks, rates = nn.ModuleDict({"autoencoder": model}), {"autoencoder": settings["lr"]}
        self.starts = settings["steps"]
        if adversarial := settings["adversarial"]:
            torch.manual_seed(seed)
            self.networks["discriminator"] = patch_discriminator(model.config.in_channels)
            self.starts, rates["discriminator"] = adversarial["start"], adversarial["lr"]
        for network in (self.networks, self.perceptual):
            if network is not None:
                network.to(device, memory_format=torch.channels_last)
        self.networks.train()
        self.optimisers = [
            torch.optim.Adam(trained_weights(self.networks[name]), lr=rate, betas=(0.5, 0.9), fused=True)
            for name, rate in rates.items()
        ]

    def as_input(self, x: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 1 or 3, H, W) as packed -> (N, 3 or 1, H, W) in [-1, 1] as encode_dataset feeds this model."""
        x = to_image_channels(scale_input(x.expand(-1, 3, -1, -1), self.settings), self.networks["autoencoder"])
        return x.contiguous(memory_format=torch.channels_last)

    def step(self, step: int, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """From `start` on, even steps update the autoencoder and odd ones the discriminator; returns the curves."""
        change = UNCHANGED
        if equivariance := self.settings.get("equivariance"):
            first, change = draw_changes(equivariance, self.seed, step, x.shape[-1], self.settings["factor"])
            x = first.image(x)
        if step >= self.starts and step % 2:
            return self.step_discriminator(x, change)
        return self.step_autoencoder(x, adversarial=step >= self.starts, change=change)

    def reconstruct(self, x: torch.Tensor, change: Change) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Changed x, x_hat of the changed latent of x, and the KL of its posterior, None where there is none."""
        z, kl = draw_latent(self.networks["autoencoder"], x)
        return change.image(x), self.networks["autoencoder"].decode(change.latent(z)).sample, kl

    def step_autoencoder(
        self, x: torch.Tensor, adversarial: bool, change: Change = UNCHANGED
    ) -> dict[str, torch.Tensor]:
        """Minimise the reconstruction loss + kl_weight * KL + w * (-mean D(x_hat))."""
        x, x_hat, kl = self.reconstruct(x, change)
        # Each loss is differentiated down to x_hat once: both the adaptive weight and the step need that gradient.
        leaf = x_hat.detach().requires_grad_()
        loss, curves = self.reconstruction_loss(x, leaf)
        (gradient,) = torch.autograd.grad(loss, leaf)
        if adversarial:
            generator_loss = -self.networks["discriminator"](leaf).mean()
            (pull,) = torch.autograd.grad(generator_loss, leaf)
            last = last_weight(self.networks["autoencoder"])
            at_last = (torch.autograd.grad(x_hat, last, each, retain_graph=True)[0] for each in (gradient, pull))
            weight = adaptive_weight(*at_last, self.settings["adversarial"]["weight"])
            gradient = gradient + weight * pull
            curves |= {"generator_loss": generator_loss.detach(), "adversarial_weight": weight}
        self.optimisers[0].zero_grad(set_to_none=True)
        losses, gradients = [x_hat], [gradient]
        if kl is not None:
            curves["kl"] = kl.detach()
            if kl.requires_grad:  # a frozen encoder's is a number
                losses, gradients = [x_hat, self.settings["kl_weight"] * kl], [gradient, None]
        torch.autograd.backward(losses, gradients)
        self.optimisers[0].step()
        return curves

    def reconstruction_loss(self, x: torch.Tensor, x_hat: torch.Tensor) -> tuple[torch.Tensor, dict]:
        """Sum over pixel values of |x - x_hat| + perceptual_weight * LPIPS per image, averaged; and its curves.

        The distance of a whole image is added at each of its pixel values, as in the recipe: the loss is the negative
        log-likelihood of a Laplace distribution with its log-variance fixed at 0.
        """
        loss = (x - x_hat).abs().sum() / len(x)
        curves = {"absolute_error": loss.detach() / x[0].numel()}
        if self.perceptual:
            distance = self.perceptual(x, x_hat).mean()
            curves["perceptual"] = distance.detach()
            loss = loss + self.settings["perceptual_weight"] * distance * x[0].numel()
        return loss, curves

    def step_discriminator(self, x: torch.Tensor, change: Change = UNCHANGED) -> dict[str, torch.Tensor]:
        """Minimise the hinge loss between images and reconstructions."""
        with torch.no_grad():
            x, x_hat, _ = self.reconstruct(x, change)
        loss = hinge_loss(self.networks["discriminator"](x), self.networks["discriminator"](x_hat))
        self.optimisers[1].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[1].step()
        return {"discriminator_loss": loss.detach()}


def save_folder(model: nn.Module, folder: Path) -> None:
    """Save config.json and the weights, each whole or not at all."""
    remove_abandoned(folder / "saving")
    scratch = own_temporary(folder / "saving")
    model.register_to_config(_name_or_path="")  # no path of this machine, so two clones write the same bytes
    try:
        model.save_pretrained(scratch, safe_serialization=True)
        for name in ("config.json", "diffusion_pytorch_model.safetensors"):
            with written_whole(folder / name) as temporary:
                (scratch / name).rename(temporary)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
