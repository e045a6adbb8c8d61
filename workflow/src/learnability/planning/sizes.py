"""How many images a dataset has, counted if it is there and otherwise as published, and which of the two it is."""

from dataclasses import dataclass
from pathlib import Path

from ..commands.missing_data import open_checked
from ..datasets.published_sizes import published_size
from ..datasets.source import opens_at_once
from ..errors import InputError
from ..storage.contracts import read_json
from ..study.paths import dataset_file


@dataclass(frozen=True)
class Size:
    """Images, classes and channels of a dataset, and the source of the numbers."""

    images: int
    classes: int
    channels: int
    origin: str


def dataset_size(config: dict, name: str) -> Size:
    """Take the size from the card in the results folder, else from the data, else as published (or `subset`)."""
    entry, card = config["datasets"][name], Path(config["results"], dataset_file(name, "dataset.json"))
    if card.is_file():
        content = read_json(card)
        return Size(content["images"], len(content["classes"]), content["channels"], "prepared")
    channels, problem = entry.get("channels", 3), "its data are not there; set `root` to them"  # 3 is the maximum
    if opens_at_once(entry):
        try:
            source = open_checked(config, name)
            return Size(len(source.samples), len(source.classes), channels, "counted")
        except InputError as error:
            problem = str(error)
    published = published_size(entry)
    if published is None:
        raise InputError(
            f"datasets.{name}: how many images it has is not known, and format {entry['format']} has no published "
            f"count: {problem}"
        )
    return Size(*published, channels, "subset of the config" if "subset" in entry else "published count")
