"""Autoencoders in diffusers format, from a local folder or a hub id."""

from pathlib import Path

import torch
from safetensors import SafetensorError

from ..contracts import InputError, digest, file_digest
from .weights import weights_folder


class DiffusersAutoencoder:
    """A diffusers autoencoder; the latent is the raw posterior mode, FLUX.2 in its native layout."""

    latent_dtype = "float16"

    def __init__(self, entry: dict, device: torch.device):
        model, folder = load_model(entry)
        self.model = model.eval().requires_grad_(False).to(device)
        self.channels = self.model.config.latent_channels
        levels = getattr(self.model.config, "block_out_channels", None) or self.model.config.encoder_block_out_channels
        self.factor = 2 ** (len(levels) - 1)
        self.provenance = {
            "source": entry["source"],
            "weights_digest": digest([file_digest(path) for path in sorted(folder.glob("*.safetensors"))]),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
        }

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        code = self.model.encode(x)
        # AutoencoderTiny has no posterior: its encoder is deterministic.
        return code.latents if hasattr(code, "latents") else code.latent_dist.mode()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.model.decode(z).sample


def load_model(entry: dict) -> tuple[torch.nn.Module, Path]:
    """The model of a config entry and the folder it came from; every tensor of model and weights must have its match.

    float32 (TF32 on a GPU): bfloat16 costs enough PSNR to blur Table 2.
    """
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
