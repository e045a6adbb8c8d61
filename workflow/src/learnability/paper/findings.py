"""What a study found, read from its tables and tests, and what the paper published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # of single numbers, a twentieth of the time of scipy.stats

from ..errors import InputError
from ..significance.group_level import SAMPLING
from ..significance.level import ALPHA
from ..significance.macro import MACRO
from ..significance.rows import NOT_APPLICABLE
from ..storage.contracts import read_csv
from ..study.configuration import ROOT
from ..tables.labels import Labels, marked

PUBLISHED_COLUMNS = ["kind", "dataset", "autoencoder", "row", "metric", "value", "high", "place"]
SHIPPED = ROOT / "workflow" / "resources" / "published.csv"
PAPER_DATASETS = ("ct_rate", "isic2019", "mimic_cxr_lt", "cardium")
PAPER_AUTOENCODERS = ("sd14", "flux1", "flux2", "medvae", "medvae_ft")
NUMBERS = ("n", "identical", "statistic", "p", "p_corrected", "effect", "mean", "sd", "value", "high", "batch_size")
NUMBERS += ("df", "variance_sampling", "variance_training", "margin", "expected_effect", "score", "score_df", "chance")
# Tests with a row for the mean over the families of a dataset.
WITH_MEANS = {"group_level", "gap_decomposition", "gap_by_share"}


@dataclass(frozen=True)
class Effect:
    """An effect with its 95 % interval and two-sided p, not corrected; NaN is what was not defined.

    `n` is what it is over: folds, groups of images, data sets. `df` are the degrees of freedom of the interval, n - 1
    where they are not given; `p_corrected` is Holm's over all cells of the test, for counting cells.
    """

    name: str
    effect: float
    low: float
    high: float
    p: float
    n: int
    df: float = np.nan
    p_corrected: float = np.nan

    @property
    def freedom(self) -> float:
        return self.df if self.df > 0 else self.n - 1

    @property
    def error(self) -> float:
        """Standard error: the interval's longer half, since ends are cut, over the quantile that made it."""
        half = max(self.effect - self.low, self.high - self.effect)
        return half / stdtrit(self.freedom, 1 - ALPHA / 2) if self.freedom > 0 else np.nan

    def interval(self, cells: int = 1) -> tuple[float, float]:
        """The interval at the level of one of so many cells together (Bonferroni); NaN where there is none."""
        if not self.error > 0:
            return self.low, self.high
        half = self.error * stdtrit(self.freedom, 1 - ALPHA / 2 / cells)
        return self.effect - half, self.effect + half

    def negated(self) -> "Effect":
        return replace(self, effect=-self.effect, low=-self.high, high=-self.low)


def effect_of(row: dict, name: str) -> Effect:
    """The effect of a row of tests; one without the variance of training has no p, since it decides nothing."""
    ends = row["effect"], row["ci_low"], row["ci_high"]
    p_values = (np.nan, np.nan) if row.get("method") == SAMPLING else (row["p"], row["p_corrected"])
    return Effect(name, *ends, p_values[0], int(row["n"]), row.get("df", np.nan), p_values[1])


def decomposed_effect(row: dict, gap: str, name: str = "") -> Effect:
    """One gap of a row of gap_decomposition.csv, whose `n` are folds."""
    low, high, p = (row[f"{gap}_{end}"] for end in ("ci_low", "ci_high", "p"))
    p, df = np.nan if row["method"] == SAMPLING else p, row.get(f"{gap}_df", np.nan)
    return Effect(name, row[gap], low, high, p, int(row["n"]), df)


@dataclass(frozen=True)
class Findings:
    """Tables and tests by the name of their file (what a study does not make is missing), dataset cards, labels.

    `n_splits` is the number of folds that the data are split into, of which a study may run fewer.
    """

    frames: dict[str, pd.DataFrame]
    cards: dict[str, dict]
    labels: Labels
    margin: float
    n_splits: int
    published: pd.DataFrame
    names: dict[str, dict[str, str]] = field(default_factory=dict)  # labels of all that is configured

    def rows(self, name: str, **where) -> pd.DataFrame:
        """Rows of a table or test with these values; none where the study does not make it."""
        frame = self.frames.get(name)
        return pd.DataFrame(columns=[*where]) if frame is None else chosen(frame, **where)

    def known(self, **where) -> tuple[float, float]:
        """The published value, or the ends of the published range; an InputError where there is none, or two."""
        rows = chosen(self.published, **where)
        if len(rows) != 1:
            raise InputError(f"published values: {len(rows)} rows for {where}, expected one")
        value, high = rows.iloc[0][["value", "high"]]
        return value, value if np.isnan(high) else high

    def dataset(self, name: str) -> str:
        """The label of a dataset; a synthetic one is called phantom."""
        label = self.names.get("datasets", self.labels.datasets).get(name, name)
        return marked(label, "phantom") if self.synthetic(name) else label

    def autoencoder(self, name: str) -> str:
        return self.names.get("autoencoders", self.labels.autoencoders).get(name, name)

    def synthetic(self, name: str) -> bool:
        return bool(self.cards.get(name, {}).get("synthetic"))

    def datasets(self) -> list[str]:
        """The datasets of Table 1, in the study's order."""
        return self.of("table1")[0]

    def folds(self) -> int:
        """How many folds Table 1 is over."""
        return int(self.frames["table1"]["n_folds"].max())

    def families(self) -> list[str]:
        """The autoencoders of Table 1 that are no controls, in the study's order."""
        return self.of("table1")[1]

    def of(self, name: str) -> tuple[list[str], list[str]]:
        """The datasets and the families of a table or test; none where the study does not make it."""
        rows, table1 = self.rows(name), self.frames["table1"]
        if rows.empty:
            return [], []
        others = {"original", NOT_APPLICABLE, *table1.loc[table1["role"] != "family", "autoencoder"]}
        datasets, autoencoders = dict.fromkeys(rows["dataset"]), dict.fromkeys(rows["autoencoder"])
        return [name for name in datasets if name != MACRO], [name for name in autoencoders if name not in others]

    def only(self, autoencoders: Sequence[str]) -> "Findings":
        """Leaves out the rows of other families, and the means over a dataset that these are in.

        Tests over all data sets and families stay as they are. A fine-tuning that is a remedy counts as its base's.
        """
        others, frames = [name for name in self.families() if name not in autoencoders], {}
        for name, frame in self.frames.items():
            whose = next((column for column in ("base", "autoencoder") if column in frame), None)
            frames[name] = frame[~frame[whose].isin(others)] if whose else frame
        for name in WITH_MEANS & frames.keys() if others else ():
            frames[name] = frames[name].loc[lambda rows: rows["autoencoder"] != NOT_APPLICABLE]
        return replace(self, frames=frames)

    def decomposed(self) -> pd.DataFrame:
        """The rows of gap_decomposition.csv that claims and summary read: balanced accuracy of every family alone."""
        families = self.of("gap_decomposition")[1]
        return self.rows("gap_decomposition", metric="balanced_accuracy", role="family", autoencoder=families)

    def tested(
        self, name: str, test: str, comparison: str, metric: str = "balanced_accuracy", role: str = "family", **where
    ) -> list[Effect]:
        """One cell per dataset and autoencoder of a file of tests."""
        rows = self.rows(name, test=test, comparison=comparison, metric=metric, role=role, **where)
        return [effect_of(row, self.pair(row["autoencoder"], row["dataset"])) for row in rows.to_dict("records")]

    def pair(self, autoencoder: str, dataset: str) -> str:
        """'Flux.2 on Cardium', or 'Flux.2, macro average'."""
        where = ", macro average" if dataset == MACRO else f" on {self.dataset(dataset)}"
        return f"{self.autoencoder(autoencoder)}{where}"


def chosen(frame: pd.DataFrame, **where) -> pd.DataFrame:
    """Rows with these values; a list stands for any of its values."""
    for column, wanted in where.items():
        frame = frame[frame[column].isin(wanted if isinstance(wanted, list | tuple) else [wanted])]
    return frame


def without_nan(row: dict) -> dict:
    """A row of claims.csv or published.csv: "n/a" for NaN."""
    return {key: NOT_APPLICABLE if isinstance(each, float) and np.isnan(each) else each for key, each in row.items()}


def read_findings(
    tables: Iterable[str | Path], cards: Sequence[dict], labels: Labels, margin: float, n_splits: int, names: dict
) -> Findings:
    """Read CSVs of tables and tests, each known by the name of its file, and the published numbers."""
    frames = {Path(path).stem: read_numbers(path) for path in tables}
    by_name = {card["dataset"]: card for card in cards}
    return Findings(frames, by_name, labels, margin, n_splits, read_published(), names)


def read_numbers(path: str | Path) -> pd.DataFrame:
    """A CSV whose columns of numbers are numbers, NaN where they hold n/a or n/a (why); other columns stay words."""
    frame = read_csv(path, keep_default_na=False, na_values=[], dtype=str)
    for column in frame:
        if column in NUMBERS or column.startswith(("gap_",)) or column.endswith(("ci_low", "ci_high")):
            frame[column] = pd.to_numeric(frame[column].where(~frame[column].str.startswith("n/a")))
        elif column == "n_folds":
            frame[column] = frame[column].astype(int)
    return frame


def read_published(path: str | Path = SHIPPED) -> pd.DataFrame:
    """The numbers of the paper; `high` is the upper end of a range, NaN of a single number."""
    frame = read_numbers(path)
    if list(frame.columns) != PUBLISHED_COLUMNS:
        raise InputError(f"{path}: columns {list(frame.columns)}, expected {PUBLISHED_COLUMNS}")
    return frame
