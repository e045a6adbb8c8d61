"""How many images and classes a collection was published with: for a plan, and for requests, without its data."""

from .formats import cardium, imagenet, isic2019, mimic_cxr_lt

PUBLISHED = {
    "ct_rate": (22305, 13),  # rows of the published study's slice table; its finding classes
    "isic2019": (sum(isic2019.PUBLISHED.values()), len(isic2019.PUBLISHED)),
    "mimic_cxr_lt": (mimic_cxr_lt.PUBLISHED["images"], 19),
    "cardium": (sum(cardium.PUBLISHED.values()), len(cardium.PUBLISHED)),
    "imagenet": (imagenet.PUBLISHED["images"], imagenet.PUBLISHED["classes"]),
}


def published_size(entry: dict) -> tuple[int, int] | None:
    """Images and classes of a `datasets` entry as far as its format says; None where none were published."""
    if entry["format"] not in PUBLISHED:
        return None
    images, classes = PUBLISHED[entry["format"]]
    return min(images, entry.get("subset", {}).get("images", images)), classes
