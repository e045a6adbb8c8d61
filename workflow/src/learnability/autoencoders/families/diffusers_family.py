"""Autoencoders in diffusers format, of any class, from a local folder."""

import re
from inspect import signature

import torch
import torch.nn.functional as F
from safetensors import SafetensorError

from ...errors import InputError
from ...storage.out_of_memory import ran_out_of_gpu_memory
from ...study.sources import shown_source
from ..latent_units import IDENTITY, pipeline_units
from .diffusers_weights import card_digests, hush_own_key, weights_folder
from .layout import measure_layout

OF_IMAGES = "name an autoencoder of images"


class DiffusersAutoencoder:
    """A diffusers autoencoder; the latent is its raw code: the posterior mode, or the quantised code of a VQModel.

    No tiling, no slicing: both change the result at the seams. A one-channel model sees the channel mean, and its
    grey image is repeated to RGB.
    """

    latent_dtype, decodes = "float16", True
    digests = staticmethod(card_digests)

    def __init__(self, entry: dict, device: torch.device):
        self.model = self.load(entry).eval().requires_grad_(False).to(device)
        for layer in self.model.modules():
            if isinstance(layer, torch.nn.Conv2d):  # on a CPU faster by 3 to 14 %; what has five dimensions stays
                layer.to(memory_format=torch.channels_last)
        self.packing = Packing(self.model) if entry.get("layout") == "packed" else None
        self.pipeline = IDENTITY if self.packing else pipeline_units(self.model)  # packed latents are normalised
        if wanted := what_it_takes(self.model):
            raise InputError(f"{entry['class']} takes {wanted}, not images of 3 or 1 channels; {OF_IMAGES}")
        try:
            self.channels, self.factor = measure_layout(self.encode, entry["factor"], device)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            if ran_out_of_gpu_memory(error) or re.search("CUDA|CUBLAS|cuDNN", str(error)):
                raise  # the GPU failed, not the class
            found = f"{type(error).__name__}: {error}"
            raise InputError(f"{entry['class']} cannot encode images of 3 channels ({found}); {OF_IMAGES}") from error
        self.provenance = {
            "source": shown_source(entry["source"]),
            **self.digests(entry),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
        }

    @staticmethod
    def load(entry: dict) -> torch.nn.Module:
        """The model of a config entry. The weights must hold exactly the tensors of the model.

        float32 (TF32 on a GPU) unless `torch_dtype` says otherwise: bfloat16 lowers PSNR enough to blur Table 2.
        """
        import diffusers

        hush_own_key()
        folder, dtype = weights_folder(entry), getattr(torch, entry.get("torch_dtype", "float32"))
        try:
            model, loading = getattr(diffusers, entry["class"]).from_pretrained(
                folder,
                torch_dtype=dtype,
                variant=entry.get("variant"),
                use_safetensors=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, SafetensorError) as error:
            raise InputError(f"{folder}: cannot be read as {entry['class']}: {error}") from error
        missing, unknown = sorted(loading["missing_keys"]), sorted(loading["unexpected_keys"])
        if missing or unknown:
            raise InputError(
                f"{folder}: weights do not fit {entry['class']}: {len(missing)} tensors missing {missing[:3]}, "
                f"{len(unknown)} unknown {unknown[:3]}; give the class that its config.json names, with its own weights"
            )
        is_flux = hasattr(model, "bn") or not getattr(model.config, "use_quant_conv", True)
        if is_flux and dtype is torch.float16:
            raise InputError(f"{folder}: FLUX encoders overflow in float16; set torch_dtype to float32 or bfloat16")
        return model

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, C, h, w) float32."""
        return self.posterior(x)[0]

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The latents that `encode` gives, and the posterior's variance of each value; None without a posterior."""
        z, variance = code_with_variance(self.model, to_image_channels(x, self.model).to(self.model.dtype))
        return (self.packing.pack(z.float()), None) if self.packing else (z.float(), variance)

    def to_model(self, z: torch.Tensor) -> torch.Tensor:
        """Stored latents as the model's own decoder takes them."""
        return (self.packing.unpack(z) if self.packing else z).to(self.model.dtype)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        z = self.to_model(z)
        # Without this option a VQModel would quantise the code a second time.
        options = {"force_not_quantize": True} if hasattr(self.model, "quantize") else {}
        return self.model.decode(z, **options).sample.float().expand(-1, 3, -1, -1)  # grey to RGB; RGB stays


def build(entry: dict, device: torch.device) -> DiffusersAutoencoder:
    return DiffusersAutoencoder(entry, device)


def what_it_takes(model: torch.nn.Module) -> str | None:
    """What a model reads, judged by its first convolution; None if it reads images of one or three channels."""
    if "num_frames" in signature(model.decode).parameters:
        return "video"
    kinds = {torch.nn.Conv1d: "audio", torch.nn.Conv3d: "video", torch.nn.Conv2d: None}
    for module in model.modules():
        for kind, found in kinds.items():
            if isinstance(module, kind):
                other = kind is torch.nn.Conv2d and module.in_channels not in (1, 3)
                return f"images of {module.in_channels} channels" if other else found
    return None


def to_image_channels(x: torch.Tensor, model: torch.nn.Module) -> torch.Tensor:
    """RGB images (N, 3, H, W), or their channel mean (N, 1, H, W) if `model` reads one channel."""
    return x.mean(dim=1, keepdim=True) if getattr(model.config, "in_channels", 3) == 1 else x


def raw_code(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The code of images without randomness."""
    return code_with_variance(model, x)[0]


def code_with_variance(model: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The code of images without randomness, and the posterior's variance or None; classes name both differently."""
    code = model.encode(x)
    if hasattr(code, "latent_dist"):
        return code.latent_dist.mode(), code.latent_dist.logvar.float().exp()
    z = code.latents if hasattr(code, "latents") else code.latent
    return model.quantize(z)[0] if hasattr(model, "quantize") else z, None


class Packing:
    """FLUX.2's latent as its transformer sees it: 2 x 2 positions become one, normalised by stored statistics.

    (N, 32, h, w) <-> (N, 128, h / 2, w / 2), with the mean and variance of the model's batch norm.
    """

    def __init__(self, model: torch.nn.Module):
        if not hasattr(model, "bn"):
            raise InputError(f"layout: packed needs FLUX.2's AutoencoderKLFlux2, not {type(model).__name__}")
        self.mean = model.bn.running_mean.view(1, -1, 1, 1)
        self.std = (model.bn.running_var.view(1, -1, 1, 1) + model.config.batch_norm_eps).sqrt()

    def pack(self, z: torch.Tensor) -> torch.Tensor:
        return (F.pixel_unshuffle(z, 2) - self.mean) / self.std

    def unpack(self, z: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(z * self.std + self.mean, 2)
