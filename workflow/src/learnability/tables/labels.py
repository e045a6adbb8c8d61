"""What readers see instead of identifiers, and in which order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from ..errors import InputError
from ..study.truths import DECODER_BLOCKS, EQUIVARIANCE, LOW_PASS, NONE, ROTATE, TABLE1, VIEWS, WHITEN

AGAIN = "Same training with another seed"
REMEDY_WORDS = {
    NONE: "none", WHITEN: "whitened", ROTATE: "rotated (null)", LOW_PASS: "low frequencies",
    VIEWS: "views", DECODER_BLOCKS: "decoder's blocks", EQUIVARIANCE: "equivariant tuning",
}  # fmt: skip
PHANTOM_NOTICE = "Phantom data: synthetic images, not patients."


@dataclass(frozen=True)
class Labels:
    """What readers see instead of identifiers; dictionary order is the order of columns and rows."""

    datasets: dict[str, str]
    autoencoders: dict[str, str]
    synthetic: frozenset[str] = frozenset()
    rows: dict[str, str] = field(default_factory=dict)  # of Tables 3 and 4; of other ablations the recipes
    leaking: dict[str, int] = field(default_factory=dict)  # images of a dataset with an equal one in another group
    counts: dict[str, dict[str, int]] = field(default_factory=dict)  # images of each class of a dataset
    groups: dict[str, int] = field(default_factory=dict)  # of a dataset

    def dataset(self, name: str) -> str:
        """The label of a dataset, or its name where it has none; a synthetic one is called phantom."""
        label = self.datasets.get(name, name)
        return marked(label, "phantom") if name in self.synthetic else label


def labels_of(labels: dict[str, dict[str, str]], cards: Iterable[dict]) -> Labels:
    """The configured labels; that a dataset is synthetic, or has equal images in two groups, its card alone knows."""
    cards = list(cards)
    counts = {card["dataset"]: card.get("duplicates") or {} for card in cards}
    return Labels(
        **labels,
        synthetic=frozenset(card["dataset"] for card in cards if card["synthetic"]),
        counts={card["dataset"]: card["counts"] for card in cards if "counts" in card},
        groups={card["dataset"]: card["groups"] for card in cards if "counts" in card},
        leaking={
            name: found["across_groups"]
            for name, found in counts.items()
            if found.get("across_groups") and not found["groups_merged"]
        },
    )


def present(names: Iterable[str], labels: dict[str, str]) -> dict[str, str]:
    """The labels of the names that are in a table, in their order; a name without a label is an error."""
    names = set(names)
    for name in sorted(names - labels.keys()):
        raise InputError(f"{name} is in the table but has no label; add it to the study's labels")
    return {name: label for name, label in labels.items() if name in names}


def datasets_of(table: pd.DataFrame, labels: Labels) -> dict[str, str]:
    """Labels of a table's datasets by identifier; synthetic ones are called phantoms."""
    return {name: labels.dataset(name) for name in present(table["dataset"], labels.datasets)}


def autoencoders_of(table: pd.DataFrame, labels: Labels) -> tuple[dict[str, str], dict[str, str]]:
    """Labels by identifier of a table's families, and of its controls, which are called so."""
    roles = {a: r for a, r in zip(table["autoencoder"], table["role"], strict=True) if r != "baseline"}
    named = present(roles, labels.autoencoders)
    controls = {name: marked(label, "control") for name, label in named.items() if roles[name] == "control"}
    return {name: label for name, label in named.items() if name not in controls}, controls


def labels_of_controls(names: Iterable[str], labels: Mapping[str, str]) -> dict[str, str]:
    """Labels by identifier of controls: those of autoencoders; the others are recipes that differ only in the seed."""
    again = [name for name in dict.fromkeys(names) if name not in labels]
    numbered = {name: f"{AGAIN} ({i})" if len(again) > 1 else AGAIN for i, name in enumerate(again, 1)}
    return dict(labels) | numbered


def recipe_in_words(recipe: str) -> str:
    return "Table 1" if recipe == TABLE1 else recipe.replace("_", " ")


def marked(label: str, word: str) -> str:
    return label if word in label.lower() else f"{label} ({word})"


def data_notes(datasets: Iterable[str], labels: Labels) -> list[str]:
    """A footnote for each of these datasets whose equal images were kept in two groups (`duplicates: keep`)."""
    shown = set(datasets)
    return [
        f"{labels.datasets.get(name, name)}: {count} image{'s have' if count > 1 else ' has'} an identical copy in "
        f"another group and {'were' if count > 1 else 'was'} kept, so test images may be among the training images."
        for name, count in labels.leaking.items()
        if name in shown
    ]


def notice(datasets: Iterable[str], labels: Labels) -> str:
    """The end of a caption if a dataset is synthetic."""
    return f" {PHANTOM_NOTICE}" if labels.synthetic & set(datasets) else ""


def remedies_in_words(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Remedy and recipe in words, by both, the row without a remedy first; the recipe where a remedy has several."""
    known = [*dict.fromkeys(pairs)]
    several = [remedy for remedy, _ in known]
    return {
        (remedy, recipe): recipe.replace("_", " ") if several.count(remedy) > 1 else REMEDY_WORDS[remedy]
        for remedy, recipe in sorted(known, key=lambda pair: pair[0] != NONE)
    }
