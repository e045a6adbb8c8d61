"""Autoencoders in diffusers format, from a local folder or a hub id."""

import torch

from ..contracts import InputError, digest, file_digest
from .weights import weights_folder


class DiffusersAutoencoder:
    """A diffusers autoencoder; the latent is the raw posterior mode, FLUX.2 in its native layout."""

    latent_dtype = "float16"

    def __init__(self, entry: dict, device: torch.device):
        import diffusers

        folder = weights_folder(entry)
        # float32 (TF32 on a GPU): bfloat16 costs enough PSNR to blur Table 2.
        model, loading = getattr(diffusers, entry["class"]).from_pretrained(
            folder, torch_dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
        if loading["missing_keys"] or loading["mismatched_keys"]:
            raise InputError(f"{folder}: weights do not fit {entry['class']}; missing {loading['missing_keys'][:3]}")
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
