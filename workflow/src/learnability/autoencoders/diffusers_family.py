"""Autoencoders in diffusers format, from a local folder or a hub id."""

from pathlib import Path

import torch
from safetensors import SafetensorError

from ..contracts import InputError
from .weights import weights_digest, weights_folder


class DiffusersAutoencoder:
    """A diffusers autoencoder; the latent is the raw posterior mode, FLUX.2 in its native layout.

    A model of one image channel sees the mean of the three, and its grey image is given back as RGB.
    """

    decodes, latent_dtype = True, "float16"

    def __init__(self, entry: dict, device: torch.device):
        model, _ = load_model(entry)
        self.model = model.eval().requires_grad_(False).to(device)
        self.channels = self.model.config.latent_channels
        levels = getattr(self.model.config, "block_out_channels", None) or self.model.config.encoder_block_out_channels
        self.factor = 2 ** (len(levels) - 1)
        self.provenance = {
            "source": entry["source"],
            "weights_digest": weights_digest(entry),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
        }

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        code = self.model.encode(to_image_channels(x, self.model))
        # AutoencoderTiny has no posterior: its encoder is deterministic.
        return code.latents if hasattr(code, "latents") else code.latent_dist.mode()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.model.decode(z).sample.expand(-1, 3, -1, -1)  # grey to RGB; RGB stays


def to_image_channels(x: torch.Tensor, model: torch.nn.Module) -> torch.Tensor:
    """RGB (N, 3, H, W) as `model` wants it: the mean of the channels, (N, 1, H, W), where it has one."""
    return x.mean(dim=1, keepdim=True) if model.config.in_channels == 1 else x


def load_model(entry: dict) -> tuple[torch.nn.Module, Path]:
    """The model of a config entry and the folder it came from; every tensor of model and weights must have its match.

    float32 (TF32 on a GPU): bfloat16 costs enough PSNR to blur Table 2. MedVAE becomes an AutoencoderKL.
    """
    if entry["class"] == "MedVAE":
        from .medvae import load_medvae

        model, checkpoint = load_medvae(entry)
        return model, checkpoint.parent
    import diffusers

    folder = weights_folder(entry)
    try:
        model, loading = getattr(diffusers, entry["class"]).from_pretrained(
            folder, torch_dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{folder}: cannot be read as {entry['class']}: {error}") from error
    missing, unknown = sorted(loading["missing_keys"]), sorted(loading["unexpected_keys"])
    if missing or unknown:
        raise InputError(
            f"{folder}: weights do not fit {entry['class']}: {len(missing)} tensors missing {missing[:3]}, "
            f"{len(unknown)} unknown {unknown[:3]}; give the class that its config.json names, with its own weights"
        )
    return model, folder
