"""What the discriminator of a fine-tuning requires of images; checks use this, so it imports nothing heavy."""

SMALLEST_SIDE = 24  # pixels for which the discriminator gives one logit


def too_small(entry: dict, image_size: int) -> str | None:
    """Report images that are smaller than one patch of the discriminator; None if they are large enough."""
    if not entry["finetune"]["adversarial"] or image_size >= SMALLEST_SIDE:
        return None
    return (
        f"image_size {image_size} is too small for the discriminator, which needs {SMALLEST_SIDE}; enlarge it, or set "
        "finetune.adversarial to null"
    )
