"""Fine-tune an autoencoder on the images of a dataset, labels unused (the step finetune_autoencoder)."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..checkpoints import load_checkpoint, save_checkpoint
from ..contracts import InputError, digest, read_json, write_csv
from ..store import as_rgb, open_packed, written_whole
from . import VARIATIONAL, scale_input
from .diffusers_family import load_model, to_image_channels
from .weights import weights_digest


def finetune_autoencoder(entry: dict, dataset: Path, seed: int, code: str, folder: Path, device: torch.device) -> None:
    """Fine-tune all weights for `steps` steps and write a diffusers folder, with its curves in history.csv.

    Stage 1 of MedVAE's recipe (docs/protocol.md) without its perceptual and adversarial terms: the sum of
    |x - x_hat| over pixels plus `kl_weight` times KL, per image; Adam, betas (0.5, 0.9). All images are seen: as
    a hospital tunes on all it has. Resumes from its checkpoint.
    """
    if entry["class"] not in VARIATIONAL:
        raise InputError(f"{entry['class']} cannot be fine-tuned: it has no posterior; take a base of {VARIATIONAL}")
    settings = entry["finetune"] | {"input": entry.get("input", "fixed")}
    card, images = read_json(dataset / "dataset.json"), open_packed(dataset / "images.npy")
    model, _ = load_model(entry)
    model.to(device).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=settings["lr"], betas=(0.5, 0.9), fused=True)
    checkpoint, state = folder / "checkpoint.safetensors", {"history": []}
    identity = digest([settings, card["digest"], seed, code, weights_digest(entry)])
    if resumed := load_checkpoint(checkpoint, identity, model, optimiser):
        state = resumed[1]
        print(f"resumed after step {state['history'][-1]['step']}", flush=True)
    done = state["history"][-1]["step"] if state["history"] else 0
    while done < settings["steps"]:
        until = min(done + settings["checkpoint_every"], settings["steps"])
        means = train_steps(model, optimiser, images, settings, seed, range(done, until), device)
        state["history"].append({"step": until} | means)
        print(f"step {until}/{settings['steps']}  " + "  ".join(f"{k} {v:.4f}" for k, v in means.items()), flush=True)
        save_checkpoint(checkpoint, identity, model, {}, optimiser, state)
        done = until
    save_folder(model, folder)
    write_csv(pd.DataFrame(state["history"]), folder / "history.csv")
    checkpoint.unlink(missing_ok=True)


def train_steps(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    images: np.ndarray,
    settings: dict,
    seed: int,
    steps: range,
    device: torch.device,
) -> dict[str, float]:
    """Take the given steps; returns the mean absolute error per pixel value and the KL per image."""
    total = torch.zeros(2, device=device)
    torch.manual_seed(int(np.random.SeedSequence([seed, steps.start]).generate_state(1)[0]))
    for step in steps:
        # Each step draws its own rows, so that a resumed run sees the same ones.
        rows = np.sort(np.random.default_rng([seed, step]).choice(len(images), settings["batch_size"]))
        x = torch.from_numpy(as_rgb(images[rows])).to(device).permute(0, 3, 1, 2)
        x = to_image_channels(scale_input(x, settings), model)  # (n, 3 or 1, H, W) in [-1, 1]
        posterior = model.encode(x).latent_dist
        x_hat = model.decode(posterior.sample()).sample  # (n, 3, H, W)
        absolute, divergence = (x - x_hat).abs().sum() / len(x), posterior.kl().mean()
        loss = absolute + settings["kl_weight"] * divergence
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += torch.stack([absolute.detach() / x[0].numel(), divergence.detach()])
    error, kl = (total / len(steps)).tolist()
    if not np.isfinite(error + kl):
        raise InputError(f"fine-tuning diverged before step {steps.stop}; lower finetune.lr")
    return {"absolute_error": error, "kl": kl}


def save_folder(model: torch.nn.Module, folder: Path) -> None:
    """Save config.json and the weights, each whole or not at all."""
    scratch = folder / ".saving"
    model.save_pretrained(scratch, safe_serialization=True)
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        with written_whole(folder / name) as temporary:
            (scratch / name).rename(temporary)
    scratch.rmdir()
