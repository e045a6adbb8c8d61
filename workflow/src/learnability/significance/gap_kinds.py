"""The four kinds of gap of an autoencoder: which runs each is between, and what cells of a kind share.

    gap_paper    = reconstruction(image)   - latent(latent)
    gap_matched  = reconstruction(matched) - latent(matched)
    gap_control  = image(matched)          - latent(matched) of the lossless control on the same grid
    gap_encoding = gap_matched - gap_control

In brackets stands the recipe: those of Table 1 are `image` and `latent`, one that is used in every space is `matched`.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from .cells import Runs, runs_of
from .group_level import PairedRows, excess, less
from .predictions import Images, paired_rows

PAPER, MATCHED, CONTROL, ENCODING = KINDS = ("gap_paper", "gap_matched", "gap_control", "gap_encoding")
Sides = tuple[list[pd.DataFrame], list[pd.DataFrame]]  # the trainings of each, itself and its replicates


def sides_of_gaps(
    runs: Runs, dataset: str, autoencoder: str, trainings: Mapping[str, Sequence[str]], control: str | None = None
) -> dict[str, Sides]:
    """What the gaps of one autoencoder are between; gap_encoding follows from others.

    `trainings` has by `image` and `latent`, or by `matched`, or by all three, the names of a recipe and its replicates.
    Without the first two there is no gap_paper, without the last no other, and without a `control` no gap_control.
    """

    def side(name: str, space: str, recipe: str) -> list[pd.DataFrame]:
        return [runs_of(runs, dataset, name, space, training) for training in trainings[recipe]]

    found = {}
    if "image" in trainings:
        found[PAPER] = side(autoencoder, "reconstruction", "image"), side(autoencoder, "latent", "latent")
    if "matched" in trainings:
        found[MATCHED] = side(autoencoder, "reconstruction", "matched"), side(autoencoder, "latent", "matched")
        if control:
            found[CONTROL] = side("original", "image", "matched"), side(control, "latent", "matched")
    return found


def image_by_image(sides: Mapping[str, Sides], images: Images) -> dict[str, PairedRows]:
    """These gaps over the test images, and gap_encoding where there is a control."""
    gaps = {kind: paired_rows(images, *pair) for kind, pair in sides.items()}
    return gaps | ({ENCODING: less(gaps[MATCHED], gaps[CONTROL])} if CONTROL in gaps else {})


def excess_of(kind: str, cells: Mapping[str, PairedRows], controls: Mapping[str, str]) -> float | None:
    """group_level.excess of one kind of gap, by autoencoder; a control that several of them have is one cell."""
    distinct = {controls[name] if kind == CONTROL else name: rows for name, rows in cells.items()}
    return excess([*distinct.values()])
