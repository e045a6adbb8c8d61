"""Randomness of an autoencoder: it is refused, or tied to each image if the entry says `stochastic: true`.

Other randomness cannot be repeated or continued after a kill, and an image's latent would depend on its neighbours.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from ..errors import InputError
from ..storage.arrays import as_rgb
from .interface import Autoencoder, load_autoencoder, scale_input
from .seeds import seeded

WHOLE_SIDE = 256  # pixels; only the middle of larger images is compared, so that two take less memory than one
# Tolerance for another order of summation: root mean square of the difference over the standard deviation, some
# hundred roundings. Batch norm, or noise that a whole batch shares, makes more than a tenth.
TOLERANCE = {torch.float16: 5e-2, torch.bfloat16: 5e-2, torch.float32: 1e-4}
# A blank image hardly varies, but roundings are as large as always. So the deviation counts as at least this share of
# the size of the values, which for images from -1 to 1 is half of their range.
LEAST = 0.1
BLANK = 4  # grey levels of standard deviation; of less, a normalisation inside the network makes rounding errors large

# What is wrong, and what to do.
RANDOM = (
    "is random: the same images give something else the next time",
    "return the mode of the posterior instead of a sample, and put every module into evaluation mode (dropout); where "
    "it is meant to be random, write {key}",
)
UNSEEDED = (
    "gives something else the next time, from the same seed",
    "let it draw from torch's, NumPy's or Python's own generator, not from one that it makes, and keep nothing from "
    "call to call",
)
BATCH = (
    "gives an image something else alone than beside another",
    "put every module into evaluation mode (batch norm), and draw nothing for a whole batch; or write {key}, and "
    "images are given to it one at a time. Where it computes in half precision inside, say so with torch_dtype",
)
BUILT = (
    "differs between two objects of the class",
    "its weights are drawn when it is made: seed them there, or read them from `source`; or write {key}, and it is "
    "made from a seed",
)


def apply(name: str, autoencoder: Autoencoder, step: str, rows: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
    """Apply `encode` or `decode` (the `step`) to `rows` (n, ...) of the samples `ids` (n), and check the shape.

    A stochastic autoencoder gets one image at a time, each with its own seed, so an image gives the same result alone,
    in any batch, and in a job that continues another.
    """
    method = getattr(autoencoder, step)
    if not autoencoder.stochastic:
        return checked(name, autoencoder, step, rows, method(rows))
    parts = []
    for row, sample_id in zip(rows.split(1), ids, strict=True):
        own = hashlib.sha256(f"{step} {sample_id}".encode()).digest()
        with seeded(int.from_bytes(own[:7], "little"), rows.device):
            parts.append(checked(name, autoencoder, step, row, method(row)))
    return torch.cat(parts)


def checked(name: str, autoencoder: Autoencoder, step: str, rows: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Return `made`, once it has the step's shape for `rows`: broadcasting would allow PSNR with other shapes too."""
    if step == "encode":
        expected = (len(rows), autoencoder.channels, *(side // autoencoder.factor for side in rows.shape[2:]))
    else:
        expected = (len(rows), 3, *(side * autoencoder.factor for side in rows.shape[2:]))
    if isinstance(made, torch.Tensor) and tuple(made.shape) == expected:
        return made
    found = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
    raise InputError(
        f"{step} of autoencoder {name} returned {found}; expected {expected}: (N, channels, rows, columns)"
    )


def check_repeats(name: str, entry: dict, autoencoder: Autoencoder, images: np.ndarray, device: torch.device) -> None:
    """Refuse an autoencoder that gives an image a different latent or reconstruction the next time.

    Compares two of the uint8 `images` (n, H, W, 1 or 3) with themselves on a second pass, one alone with the same one
    beside the other, and the results of two objects of an own class. InputError says what differs and what to do.
    """
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")  # in TF32, kernels differ as much as some posteriors
    try:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            rows = scale_input(two_of(images, autoencoder.factor, device), entry)
            again = load_autoencoder(entry, device) if ":" in entry["class"] else None
            for step in ("encode", "decode") if autoencoder.decodes else ("encode",):
                made = Repeated(name, entry, autoencoder, again, step, device).check(rows)
                rows = made.to(getattr(torch, autoencoder.latent_dtype)).float()  # as latents are stored
    finally:
        torch.set_float32_matmul_precision(precision)


def two_of(images: np.ndarray, factor: int, device: torch.device) -> torch.Tensor:
    """The first image and another, mirrored one: uint8 (2, 3, H, W); only the middle of large images.

    Noise stands for a blank one.
    """
    chosen = as_rgb(np.stack([images[0], images[len(images) // 2][:, ::-1]]))
    if (side := chosen.shape[2]) > WHOLE_SIDE:
        kept = side // 2 // factor * factor
        start = (side - kept) // 2
        chosen = chosen[:, start : start + kept, start : start + kept]
    blank = chosen.std(axis=(1, 2, 3)) < BLANK  # (2,)
    noise = np.random.default_rng(0).integers(0, 256, chosen.shape, dtype=np.uint8)
    chosen = np.where(blank[:, None, None, None], noise, chosen)
    return torch.from_numpy(chosen).to(device).permute(0, 3, 1, 2)


class Repeated:
    """A step, encode or decode, of two images; `again` is another object of the same class, or None."""

    def __init__(
        self,
        name: str,
        entry: dict,
        autoencoder: Autoencoder,
        again: Autoencoder | None,
        step: str,
        device: torch.device,
    ):
        self.name, self.autoencoder, self.again, self.step, self.device = name, autoencoder, again, step, device
        self.precision = getattr(torch, entry.get("torch_dtype", "float32"))

    def run(self, autoencoder: Autoencoder, rows: torch.Tensor, seed: int) -> torch.Tensor:
        """Apply the step to `rows` (n, ...), the last n of the two images, with the generators set to `seed`."""
        with seeded(seed, self.device):
            return apply(self.name, autoencoder, self.step, rows, ["first", "second"][-len(rows) :])

    def check(self, rows: torch.Tensor) -> torch.Tensor:
        """Refuse a step that does not repeat itself; return its result for `rows` (2, ...)."""
        first, other = (self.run(self.autoencoder, rows, seed) for seed in (0, 1))
        limit = max(TOLERANCE[self.precision], TOLERANCE.get(first.dtype, 0))
        share = self.difference(first, other)
        # If equal seeds give equal numbers, the machine repeats itself, so a difference between seeds is randomness.
        exact = share == 0 or self.difference(first, self.run(self.autoencoder, rows, 0)) == 0
        if not share <= (0 if exact else limit):
            self.refuse(*(UNSEEDED if self.autoencoder.stochastic else RANDOM), share)
        if not (share := self.difference(first, self.run(self.autoencoder, rows[1:], 0))) <= limit:
            self.refuse(*BATCH, share)
        if self.again and not (share := self.difference(first, self.run(self.again, rows, 0))) <= limit:
            self.refuse(*BUILT, share)
        return first

    def difference(self, first: torch.Tensor, other: torch.Tensor) -> float:
        """Root mean square of `other` (n, ...) minus the last n of `first` (2, ...), over the deviation of `first`.

        0 where they are equal, or no number in both.
        """
        a = first[-len(other) :]
        same = (a == other) | (a.isnan() & other.isnan())
        if bool(same.all()):
            return 0.0
        apart = torch.where(same, torch.zeros_like(a), a - other).double().square().mean().sqrt()
        values = first[first.isfinite()].double()
        size = 1.0 if self.step == "decode" else float(values.square().mean().sqrt())
        return float(apart / values.std().clamp(min=max(LEAST * size, 1e-30)))

    def refuse(self, what: str, advice: str, share: float) -> None:
        raise InputError(
            f"autoencoder {self.name}: {self.step} {what} (they differ by {share:.1g} of their standard deviation); "
            + advice.format(key=f"autoencoders.{self.name}.stochastic: true")
        )
