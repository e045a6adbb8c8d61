"""What a recipe may ask of a classifier: head, conditioning and noise, checked before a network is built."""

import math

from ..errors import InputError
from .grid import is_convnext
from .noise_range import TAIL, trained_range

# The keys of each family's draw with their defaults: EDM's sampler and EDM2's training (arXiv 2206.00364, 2312.02696),
# and the logit-normal times of rectified flow (arXiv 2403.03206).
EDM = {"sigma_min": 0.002, "sigma_max": 80.0, "scale_input": False}
NOISE = {
    ("edm", "grid"): EDM | {"rho": 7.0, "steps": 32},
    ("edm", "lognormal"): EDM | {"mean": -0.4, "deviation": 1.0},
    ("flow", "uniform"): {},
    ("flow", "logit_normal"): {"mean": 0.0, "deviation": 1.0},
    ("vp", "uniform"): {},
}
TRANSFORMS = {"whiten": [], "rotate": ["seed"], "low_pass": ["cutoff"]}  # the keys of each kind
POSITIVE = ("sigma_min", "sigma_max", "rho", "deviation")


def check_options(
    *, space: str, model: str, head: str, film: bool, noise: dict | None, transform: dict | None = None
) -> None:
    """Refuse a head, FiLM, noise or transform that this network or space cannot have."""
    if head not in ("linear", "cosine"):
        raise InputError(f"recipes.*.head is {head!r}; expected linear or cosine")
    if film and not is_convnext(model):
        raise InputError(
            f"recipes.*.film: FiLM follows the four stages of a ConvNeXt, and {model} is none; "
            "use a convnext model, or set `film: false`"
        )
    if film and noise is None:
        raise InputError("recipes.*.film: nothing to condition on without noise; give `noise`, or set `film: false`")
    if noise is not None:
        if space != "latent":
            raise InputError(f"recipes.*.noise: noise is added to latents, not in {space} space; set `noise: null`")
        noise_options(noise)
    if transform is not None:
        check_transform(space, noise, transform)


def check_transform(space: str, noise: dict | None, transform: dict) -> None:
    """Refuse a transform with keys of another kind, outside latent space, or of noisy latents."""
    kind = transform.get("kind")
    if kind not in TRANSFORMS:
        raise InputError(f"recipes.*.transform.kind is {kind!r}; expected {', '.join(TRANSFORMS)}")
    if sorted(transform.keys() - {"kind"}) != TRANSFORMS[kind]:
        raise InputError(
            f"recipes.*.transform has {sorted(transform)}; kind {kind} has exactly {['kind', *TRANSFORMS[kind]]}"
        )
    if space != "latent":
        raise InputError(
            f"recipes.*.transform: {kind} is of normalised latents, not of {space} space; set `spaces: [latent]`, or "
            "`transform: null`"
        )
    if noise is not None:
        raise InputError(
            f"recipes.*.transform: {kind} would change the size of the noise that `noise` states; set one of them to "
            "null"
        )


def noise_options(noise: dict) -> dict:
    """Check a recipe's noise and return it with the defaults of its family and draw; returns its own result as it is.

    Raises InputError naming the key.
    """
    family, draw = noise.get("family"), noise.get("draw")
    draws = [second for first, second in NOISE if first == family]
    if not draws:
        raise InputError(f"recipes.*.noise.family is {family!r}; expected edm, flow or vp")
    if draw not in draws:
        raise InputError(f"recipes.*.noise.draw is {draw!r}; family {family} has {' and '.join(draws)}")
    defaults = NOISE[family, draw]
    unused = sorted(noise.keys() - defaults.keys() - {"family", "draw"})
    if unused:
        raise InputError(
            f"recipes.*.noise.{unused[0]}: family {family} with draw {draw} has no such key "
            f"(it has {sorted(defaults) or 'none'}); remove it"
        )
    filled = {"family": family, "draw": draw} | defaults | noise
    check_numbers(filled)
    return filled


def check_numbers(noise: dict) -> None:
    """Refuse numbers from which no noise level can be drawn."""
    if not isinstance(noise.get("scale_input", False), bool):
        raise InputError(f"recipes.*.noise.scale_input is {noise['scale_input']!r}; expected true or false")
    for key, value in noise.items():
        if key in ("family", "draw", "scale_input"):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"recipes.*.noise.{key} is {value!r}; expected a number (YAML reads 1e-3 as text)")
        if key in POSITIVE and value <= 0:
            raise InputError(f"recipes.*.noise.{key} is {value}; expected a number above 0")
    if noise["family"] == "edm" and noise["sigma_min"] >= noise["sigma_max"]:
        raise InputError(
            f"recipes.*.noise.sigma_min is {noise['sigma_min']}, not below sigma_max, {noise['sigma_max']}; "
            "it is the lowest noise level, labelled clean"
        )
    if "mean" in noise:
        low, high = trained_range(noise)
        if low >= high:
            ends = "sigma_min and sigma_max" if noise["family"] == "edm" else "those that float32 tells from 0 and 1"
            raise InputError(
                f"recipes.*.noise.mean is {noise['mean']}: no level within {TAIL} deviations lies between {ends}; it "
                "is the mean of ln(sigma)"
            )
    if "steps" in noise and (noise["steps"] != int(noise["steps"]) or noise["steps"] < 2):
        raise InputError(f"recipes.*.noise.steps is {noise['steps']}; expected a whole number, 2 or more")
