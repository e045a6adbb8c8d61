"""Whether a network fits the grid it is given (docs/protocol.md)."""


def misfit(model: str, options: dict, side: int) -> str | None:
    """Say why a ConvNeXt cannot work on a grid of side x side: its stem and its halvings leave nothing."""
    if not model.startswith("convnext"):
        return None
    patch = options.get("patch_size", 4)
    # Three stages halve; after a stem of 2, timm lets the first stage halve too.
    needed = patch * (16 if patch == 2 else 8)
    if side >= needed:
        return None
    advice = "set model_options.patch_size to 1" if side >= 8 else "no stem fits a grid below 8"
    return (
        f"{model} with patch_size {patch} does not fit a grid of {side} x {side}: stem and stages reduce it "
        f"{needed} times; {advice}"
    )
