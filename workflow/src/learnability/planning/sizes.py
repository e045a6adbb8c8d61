"""How many images a dataset has: counted where it is there, else as published, and which of the two."""

from dataclasses import dataclass
from pathlib import Path

from ..check import check_dataset
from ..contracts import InputError, read_json
from ..datasets import cardium, imagenet, isic2019, mimic_cxr_lt, open_source, opens_at_once

# Images and classes of the published study's collections, for a plan without data.
PUBLISHED = {
    "ct_rate": (22305, 13),  # rows of the published study's slice table; its finding classes
    "isic2019": (sum(isic2019.PUBLISHED.values()), len(isic2019.PUBLISHED)),
    "mimic_cxr_lt": (mimic_cxr_lt.PUBLISHED["images"], 19),
    "cardium": (sum(cardium.PUBLISHED.values()), len(cardium.PUBLISHED)),
    "imagenet": (imagenet.PUBLISHED["images"], imagenet.PUBLISHED["classes"]),
}


@dataclass(frozen=True)
class Size:
    """Images, classes and channels of a dataset, and where the number comes from."""

    images: int
    classes: int
    channels: int
    origin: str


def dataset_size(config: dict, name: str) -> Size:
    """From the card in the results folder, else from the data, else the published count (or `subset`)."""
    entry, card = config["datasets"][name], Path(config["results"], "datasets", name, "dataset.json")
    if card.is_file():
        content = read_json(card)
        return Size(content["images"], len(content["classes"]), content["channels"], "prepared")
    channels = entry.get("channels", 3)  # 3 is the most
    if opens_at_once(entry) and not check_dataset(config, {"dataset": name}):
        source = open_source(entry)
        return Size(len(source.samples), len(source.classes), channels, "counted")
    if entry["format"] not in PUBLISHED:
        raise InputError(
            f"datasets.{name}: how many images it has is not known: its data are not there, and format "
            f"{entry['format']} has no published count; set `root` to the data"
        )
    images, classes = PUBLISHED[entry["format"]]
    if subset := entry.get("subset"):
        return Size(min(images, subset["images"]), classes, channels, "subset of the config")
    return Size(images, classes, channels, "published count")
