"""Classifiers for images and latents, clean or noisy: a network that normalises its raw input itself."""

from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from ..registry import is_own_network, load
from ..study.grid import misfit
from .noise.levels import NoiseLevels, build_levels
from .weights import load_weights, read_weights

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0, 1]


class Classifier(nn.Module):
    """A network on raw input: 8-bit images (0..255) or latents as stored; it normalises inside.

    forward(x: (N, C, H, W), sigma) -> logits (N, K). `sigma` is the noise level of each row, (N,), or of all, a number:
    in units of a normalised latent, or of the autoencoder's pipeline where `noise_unit` says so. None and 0 are a clean
    input, which is scaled and labelled as `levels.clean`. A classifier that was trained without noise (`levels` None)
    ignores it.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: list[float],
        std: list[float],
        classes: list[str],
        levels: NoiseLevels | None = None,
        film: nn.Module | None = None,
        noise_unit: torch.Tensor | None = None,
        latent_std: float = 1.0,
        transform: nn.Module | None = None,
    ):
        super().__init__()
        self.network, self.film, self.transform = network, film, transform
        self.classes, self.levels, self.latent_std = classes, levels, latent_std
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))
        unit = torch.ones_like(self.mean) if noise_unit is None else noise_unit
        # Not among the weights: a classifier that starts from one without noise takes all of its tensors.
        self.register_buffer("noise_unit", unit, persistent=False)  # (1, C, 1, 1) or (1, C, h, w)

    def normalise(self, x: torch.Tensor) -> torch.Tensor:
        return (x.float() - self.mean) / self.std

    def add_noise(self, x: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """x + σ·unit·n of a normalised x and standard normal n, both (N, C, h, w); σ (N,)."""
        return x + sigma.view(-1, 1, 1, 1) * self.noise_unit * noise

    def logits(self, x: torch.Tensor, sigma: torch.Tensor | float | None = None) -> torch.Tensor:
        """Logits (N, K) of a normalised x (N, C, H, W), noisy by `sigma`: scaled by c_in, conditioned if FiLM is on.

        A `transform` comes first; noise and masking are of what it is given.
        """
        if self.transform is not None:
            x = self.transform(x)
        if self.levels is None:
            return self.network(x)
        sigma = self.levels.clean if sigma is None else sigma
        if isinstance(sigma, torch.Tensor):
            sigma = sigma.to(x.device, torch.float32).expand(len(x))
        else:
            sigma = torch.full((len(x),), float(sigma), device=x.device)
        sigma = torch.where(sigma == 0, self.levels.clean, sigma)
        x = x * self.levels.input_scale(sigma, self.noise_unit, self.latent_std)
        return self.film(self.network, x, self.levels.label(sigma)) if self.film else self.network(x)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor | float | None = None) -> torch.Tensor:
        return self.logits(self.normalise(x), sigma)


def build_classifier(description: dict, pretrained: Path | None = None) -> Classifier:
    """Build a classifier from a description: that of a recipe's run, or the model.json beside saved weights.

    Keys: space, model (a timm name or a probe), model_options, stem_patch, head, film, noise, noise_unit (C x a x a, in
    units of a normalised latent; None for ones), latent_std, in_channels, grid, classes, mean, std, and transform where
    there is one. `pretrained` is the file of weights to start from; what depends on the task is made for it. Raises
    InputError where they do not fit.
    """
    network = build_network(description)
    if pretrained:
        start_from(network, pretrained, description)
    # After the network, so that it starts from the same random numbers with and without conditioning.
    film = load("recipes.*", "film").build(network) if description["film"] else None
    return Classifier(
        network,
        description["mean"],
        description["std"],
        description["classes"],
        levels=build_levels(description["noise"]) if description["noise"] is not None else None,
        film=film,
        noise_unit=tiled(description["noise_unit"], description["in_channels"], description["grid"]),
        latent_std=description["latent_std"],
        transform=build_transform(description),
    )


def build_transform(description: dict) -> nn.Module | None:
    """What comes between normalised latents and the network; None where the recipe has none."""
    transform = description.get("transform")
    if transform is None:
        return None
    module = load("recipes.*.transform.kind", transform["kind"])
    return module.build(transform, description["in_channels"], description["grid"])


def build_network(description: dict) -> nn.Module:
    """A network with random weights for this task, timm's or a probe: its channels, stem, classes and head."""
    name, options, patch = description["model"], description["model_options"], description["stem_patch"]
    if message := misfit(name, patch, options, min(description["grid"])):
        raise InputError(message)
    classes = len(description["classes"])
    task = {"in_chans": description["in_channels"], "num_classes": classes}
    if is_own_network(name):
        network = load("recipes.*.model", name).build(name, **task, **options)
    else:
        network = timm_network(name, task, options, {"patch_size": patch} if patch else {})
    last = network.get_classifier()
    if isinstance(last, nn.Linear):
        place = next(place for place, module in network.named_modules() if module is last)
        network.set_submodule(place, load("recipes.*.head", description["head"]).build(last, classes))
    elif description["head"] != "linear":
        raise InputError(f"recipes.*.head: {name} does not end in a linear layer; set `head: linear`")
    return network


def timm_network(name: str, task: dict, options: dict, stem: dict) -> nn.Module:
    """A network of timm, which must have the name and the options."""
    import timm

    if not timm.is_model(name):  # which also keeps timm from asking a hub
        raise InputError(f"recipes.*.model: timm {timm.__version__} has no {name!r}; see timm.list_models()")
    try:
        return timm.create_model(name, pretrained=False, **task, **options, **stem)
    except TypeError as error:
        raise InputError(f"recipes.*.model_options {options}: not options of {name} ({error})") from error


def start_from(network: nn.Module, file: Path, description: dict) -> None:
    """Give a network the weights of `file`, except for the layers that are made for its task."""
    fresh = layers_called(network, "classifier")
    if description["space"] == "latent":
        # Weights made for RGB mean nothing on latent channels: a fresh input layer, for every channel count and stem.
        fresh += layers_called(network, "first_conv")
    if description["stem_patch"] == 2:
        fresh += ["stages.0.downsample.0", "stages.0.downsample.1"]  # timm's first stage halves only after this stem
    if misfits := load_weights(network, read_weights(file), tuple(fresh)):
        raise InputError(
            f"{file}: these weights do not fit {description['model']} with stem_patch {description['stem_patch']} and "
            f"model_options {description['model_options']} ({misfits}); set `init: random`, or leave the options as "
            "the weights were trained with"
        )


def layers_called(network: nn.Module, what: str) -> list[str]:
    """The names of its `classifier`, or `first_conv`, as timm has them of a network: one, several, or none."""
    names = network.pretrained_cfg.get(what) or ()
    return [names] if isinstance(names, str) else [*names]


def tiled(unit: list | None, channels: int, grid: list[int]) -> torch.Tensor | None:
    """A noise unit C x a x a as (1, C, 1, 1) for a = 1, else repeated over the grid: (1, C, h, w)."""
    if unit is None:
        return None
    tensor = torch.tensor(unit, dtype=torch.float32)
    side = tensor.shape[-1]
    if tensor.shape != (channels, side, side) or any(length % side for length in grid):
        raise InputError(
            f"noise_unit is {' x '.join(map(str, tensor.shape))} for {channels} channels on a grid of "
            f"{' x '.join(map(str, grid))}; expected channels x a x a, where a divides the grid"
        )
    return tensor[None] if side == 1 else tensor.repeat(1, grid[0] // side, grid[1] // side)[None]


def image_moments() -> tuple[list[float], list[float]]:
    """ImageNet's channel mean and standard deviation, for RGB pixels in 0..255."""
    return [255 * mean for mean in IMAGENET_MEAN], [255 * std for std in IMAGENET_STD]
