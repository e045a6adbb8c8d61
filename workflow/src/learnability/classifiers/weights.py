"""Where the ImageNet weights of a network are: the hub's cache, or the hub."""

from ..hub import why_missing

PAPER_WEIGHTS = {"resnet50": "resnet50.tv_in1k", "convnext_tiny": "convnext_tiny.fb_in1k"}  # torchvision's


def imagenet_name(model: str) -> str:
    """The timm name of a network with the ImageNet weights that the paper starts from."""
    return PAPER_WEIGHTS.get(model, model)


def missing_imagenet_weights(model: str) -> str | None:
    """Say why the weights cannot be had, or None."""
    import timm

    settings = timm.get_pretrained_cfg(imagenet_name(model))
    if settings is None or not settings.hf_hub_id:
        return f"timm has no ImageNet weights for {model}; use `init: random`"
    return why_missing(settings.hf_hub_id, ("model.safetensors",), None)
