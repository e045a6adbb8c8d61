"""MedVAE from its own checkpoints, converted in memory to diffusers' AutoencoderKL, which computes the same."""

import zipfile
from pathlib import Path

import torch
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from ...errors import InputError
from .diffusers_family import DiffusersAutoencoder
from .medvae_keys import STAGE_2, VARIANTS, Tensors, Variant, to_diffusers
from .medvae_weights import card_digests, medvae_checkpoint


class MedVAE(DiffusersAutoencoder):
    """A 2-D MedVAE. Stage 1: the raw posterior mode z. Stage 2: channel_proj(channel_ds(z) + z), for latent space only.

    Stage 2 is what MedVAE's own classifiers see; no decoder was trained for it.
    """

    digests = staticmethod(card_digests)

    def __init__(self, entry: dict, device: torch.device):
        super().__init__(entry, device)
        stage = entry.get("latent_stage", 1)
        self.decodes = stage == 1
        self.provenance |= {"variant": entry["variant"], "latent_stage": stage}
        if stage == 2:
            self.stage_2 = load_stage_2(entry).requires_grad_(False).to(device)
            self.provenance["parameters"] += sum(parameter.numel() for parameter in self.stage_2.parameters())

    @staticmethod
    def load(entry: dict) -> torch.nn.Module:
        """The checkpoint of the entry's variant as an AutoencoderKL."""
        return load_medvae(entry)[0]

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        z, variance = super().posterior(x)  # (N, C, h, w)
        return (
            (z, variance) if self.decodes else (self.stage_2["channel_proj"](self.stage_2["channel_ds"](z) + z), None)
        )

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        if not self.decodes:
            raise InputError(
                "MedVAE with latent_stage 2 has no decoder: use it in latent space only, or take latent_stage 1"
            )
        return super().decode(z)


def build(entry: dict, device: torch.device) -> MedVAE:
    return MedVAE(entry, device)


def load_medvae(entry: dict) -> tuple[torch.nn.Module, Path]:
    """The AutoencoderKL of a MedVAE entry, in evaluation mode and float32, and the checkpoint it was made from.

    Every tensor of model and checkpoint must have its match; the stage-2 layers have none and are left aside.
    """
    path, name = medvae_checkpoint(entry), entry["variant"]
    with torch.device("meta"):  # no time for random weights that are replaced at once
        model = build_model(VARIANTS[name])
    converted, misfits = to_diffusers(read_checkpoint(path), model.state_dict(), VARIANTS[name])
    if misfits:
        raise InputError(
            f"{path}: does not hold {name}: {misfits}; give this variant's own file, or the file's variant"
        )
    model.load_state_dict(converted, assign=True)
    return model.eval(), path


def build_model(variant: Variant) -> torch.nn.Module:
    """The diffusers model of a variant."""
    from diffusers import AutoencoderKL

    levels = len(variant.widths)
    return AutoencoderKL(
        in_channels=variant.image_channels,
        out_channels=variant.image_channels,
        latent_channels=variant.channels,
        block_out_channels=variant.widths,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=2,
        norm_num_groups=32,
        scaling_factor=None,  # MedVAE states none, and diffusers' default is that of Stable Diffusion
    )


def load_stage_2(entry: dict) -> torch.nn.ModuleDict:
    """The layers after the autoencoder: channel_ds, C -> 64 -> 64 -> C with ReLU between, and channel_proj, C -> C."""
    path, channels = medvae_checkpoint(entry), VARIANTS[entry["variant"]].channels
    layers = torch.nn.ModuleDict(
        {
            "channel_ds": torch.nn.Sequential(
                torch.nn.Conv2d(channels, 64, 1),
                torch.nn.ReLU(),
                torch.nn.Conv2d(64, 64, 3, padding=1),
                torch.nn.ReLU(),
                torch.nn.Conv2d(64, channels, 1),
            ),
            "channel_proj": torch.nn.Conv2d(channels, channels, 1),
        }
    )
    try:
        layers.load_state_dict({name: t for name, t in read_checkpoint(path).items() if name.startswith(STAGE_2)})
    except RuntimeError as error:
        raise InputError(f"{path}: its stage-2 layers do not fit ({error}); take latent_stage 1") from error
    return layers.eval()


def read_checkpoint(path: Path) -> Tensors:
    """The tensors of a checkpoint by name, without running the code that a pickle may hold.

    A dictionary with `state_dict`, a state dict alone (as accelerate saves it), or safetensors of the same names.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content = load_file(path)
        else:
            # Mapped where the format allows it; what was written before torch 1.6 is no zip file.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # whatever a damaged or hostile file provokes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: cannot be read as tensors ({reason}); fetch it again if it is incomplete. Pickled code is not "
            "run: where you trust such a file, save its state dict alone, torch.save(model.state_dict(), path)"
        ) from error
    tensors = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise InputError(
            f"{path}: holds no state dict, tensors by name; save it alone, torch.save(model.state_dict(), path)"
        )
    consume_prefix_in_state_dict_if_present(tensors, "module.")  # of a training on several GPUs
    return tensors
