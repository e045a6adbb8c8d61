"""Whether a network fits the grid it is given (docs/protocol.md)."""


def is_convnext(model: str) -> bool:
    """Whether a timm name is a ConvNeXt: a stem of patches and four stages."""
    return model.startswith("convnext")


def misfit(model: str, stem_patch: int | None, model_options: dict, side: int) -> str | None:
    """Say why a network cannot have this stem, or cannot work on a grid of side x side; None where it can.

    The stem of a ConvNeXt divides the grid by `stem_patch` (None: by 4, as published), and its stages halve it.
    """
    if "patch_size" in model_options:
        return "model_options.patch_size is not read; set `stem_patch` of the recipe to the size of the stem's patches"
    if not is_convnext(model):
        return f"stem_patch is for a ConvNeXt, and {model} is none; set it to null" if stem_patch else None
    patch = stem_patch or 4
    # Three stages halve; after a stem of 2, timm lets the first stage halve too.
    needed = patch * (16 if patch == 2 else 8)
    if side >= needed:
        return None
    advice = "set stem_patch to 1" if side >= 8 else "no stem fits a grid below 8"
    return (
        f"{model} with stem_patch {patch} does not fit a grid of {side} x {side}: stem and stages reduce it "
        f"{needed} times; {advice}"
    )
