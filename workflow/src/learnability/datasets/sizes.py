"""Published numbers of images and classes, for plans and requests that have no data yet."""

from .formats import cardium, imagenet, isic2019, mimic_cxr_lt

PUBLISHED_SIZES = {
    "ct_rate": (22305, 13),  # rows of the published study's slice table; its finding classes
    "isic2019": (sum(isic2019.PUBLISHED_COUNTS.values()), len(isic2019.PUBLISHED_COUNTS)),
    "mimic_cxr_lt": (mimic_cxr_lt.PUBLISHED_COUNTS["images"], 19),
    "cardium": (sum(cardium.PUBLISHED_COUNTS.values()), len(cardium.PUBLISHED_COUNTS)),
    "imagenet": (imagenet.PUBLISHED_COUNTS["images"], imagenet.PUBLISHED_COUNTS["classes"]),
}


def published_size(entry: dict) -> tuple[int, int] | None:
    """Images and classes of a `datasets` entry, as published for its format; None if nothing was published."""
    if entry["format"] not in PUBLISHED_SIZES:
        return None
    images, classes = PUBLISHED_SIZES[entry["format"]]
    return min(images, entry.get("subset", {}).get("images", images)), classes
