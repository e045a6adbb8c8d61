"""What the discriminator of a fine-tuning asks of the images; asked by checks, so nothing heavy here."""

SMALLEST_SIDE = 24  # pixels that give the discriminator one logit


def too_small(entry: dict, image_size: int) -> str | None:
    """Say so where images have fewer pixels than one patch of the discriminator; None where they have enough."""
    if not entry["finetune"]["adversarial"] or image_size >= SMALLEST_SIDE:
        return None
    return (
        f"image_size {image_size} is too small for the discriminator, which needs {SMALLEST_SIDE}; enlarge it, or set "
        "finetune.adversarial to null"
    )
