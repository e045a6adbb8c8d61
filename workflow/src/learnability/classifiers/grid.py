"""Whether a network fits the grid it is given (methods: section 3.3)."""


def misfit(model: str, options: dict, side: int) -> str | None:
    """Say why a ConvNeXt cannot work on a grid of side x side: its stem and three halvings leave nothing."""
    if not model.startswith("convnext"):
        return None
    patch = options.get("patch_size", 4)
    if side // patch >= 8:
        return None
    advice = f"set model_options.patch_size to {side // 8} or less" if side >= 8 else "no stem fits a grid below 8"
    return (
        f"{model} with patch_size {patch} does not fit a grid of {side} x {side}: its stem leaves "
        f"{side // patch}, which three stages halve; {advice}"
    )
