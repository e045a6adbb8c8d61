"""What a fine-tuning asks of its base and of the images; asked by checks, so nothing heavy here."""

from ...errors import InputError

TUNABLE = ("AutoencoderKL", "AutoencoderKLFlux2", "MedVAE", "AutoencoderTiny")  # the last has no posterior, so no KL
SMALLEST_SIDE = 24  # pixels that give the discriminator one logit
SMALLEST_OF_LPIPS = 16  # pixels that leave VGG16 one position after four poolings


def check_finetuning(entry: dict, image_size: int) -> None:
    """Refuse a class that cannot be tuned, and images that are too small for a term of the loss."""
    if entry["class"] not in TUNABLE:
        raise InputError(f"{entry['class']} cannot be fine-tuned; take a base of {TUNABLE}")
    if found := too_small(entry, image_size):
        raise InputError(found[1])


def pixels_per_cell(entry: dict) -> int:
    """Pixels on a side of a cell of the latent that fine-tuning sees: it is not packed, 2 x 2 cells in one."""
    return entry["factor"] // 2 if entry.get("layout") == "packed" else entry["factor"]


def grids(equivariance: dict, cells: int) -> tuple[int, int]:
    """The smallest and the largest side of a latent of `cells` x `cells` that is reduced: scales rounded to cells."""
    low, high = equivariance["scales"] or (1, 1)
    return max(1, int(low * cells + 0.5)), max(1, int(high * cells + 0.5))


def too_small(entry: dict, image_size: int) -> tuple[str, str] | None:
    """The key of `finetune` that needs larger images, and what to do; None where they are large enough.

    They are as small as the equivariance term makes them.
    """
    finetune, side, enlarge = entry["finetune"], image_size, "enlarge it"
    if equivariance := finetune.get("equivariance"):
        cell = pixels_per_cell(entry)
        side = cell * grids(equivariance, image_size // cell)[0]
        enlarge += f" or the smallest of equivariance.scales, with which images have {side} pixels"
    if finetune["adversarial"] and side < SMALLEST_SIDE:
        needs, without = f"the discriminator, which needs {SMALLEST_SIDE}", "adversarial to null"
    elif finetune["perceptual"] == "lpips" and side < SMALLEST_OF_LPIPS:
        needs, without = f"LPIPS, which needs {SMALLEST_OF_LPIPS}", "perceptual to none"
    else:
        return None
    return without.split()[0], f"image_size {image_size} is too small for {needs}; {enlarge}, or set finetune.{without}"
