"""Rates over simulated studies: how often a test finds a gap, and how often its interval holds the true one."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from learnability.significance.correlation import correlation
from learnability.significance.level import ALPHA
from learnability.significance.macro import MACRO
from learnability.significance.ranks import signed_rank
from learnability.significance.t_tests import corrected_t, tost

from .controls import CIPHER, LOSSLESS
from .designs import N_SPLITS, SMALL, designs
from .scores import GAP, OF_LATENTS
from .simulated import FIELDS, ONE, ONE_WITHOUT, TWO, UNITS, Simulated, decomposed
from .studies import AUTOENCODERS, Scenario

TEST_OVER_TRAIN = 1 / (N_SPLITS - 2)
ONE_SIDED = 1.645  # standard errors from a rate down to its lower 95 % Monte Carlo bound
OF_A_STACK = 50  # studies in memory at once
CELLS = slice(0, AUTOENCODERS)
ALONE, OWN_MEAN = "cell of one autoencoder", "dataset, variance of training from its own mean"
LEAST_LEFT_OUT = "cell of one autoencoder, without the least of e"
IN_WORDS = {GAP: "latents against reconstructions", OF_LATENTS: "latents against themselves, trained again"}
PSNR = (4.4, 3.7)  # dB, standard deviation of autoencoders and of cells, as in the paper's Table 2


class Rate(NamedTuple):
    """A share of studies, or the mean of the shares of each study's cells."""

    value: float
    low: float  # lower 95 % Monte Carlo bound
    studies: int

    @property
    def holds(self) -> bool:
        """Whether the true rate may be the level or less."""
        return self.low <= ALPHA

    def __str__(self) -> str:
        text = f"{100 * self.value:.1f}"
        return text if self.holds else f"**{text}**"


def rate(found: np.ndarray) -> Rate:
    """The rate of findings (studies, ...). Cells of a study are not independent, so the error is that over studies."""
    shares = np.reshape(found, (len(found), -1)).mean(1)
    error = shares.std(ddof=1) / np.sqrt(len(shares))
    return Rate(float(shares.mean()), float(shares.mean() - ONE_SIDED * error), len(shares))


def field(tests: np.ndarray, name: str) -> np.ndarray:
    return tests[..., FIELDS.index(name)]


def found(p: np.ndarray, effect: np.ndarray | float = 1.0) -> np.ndarray:
    """Significant, and in this direction."""
    return (p < ALPHA) & (np.asarray(effect) > 0)


def covered(tests: np.ndarray, truth: np.ndarray | float) -> np.ndarray:
    """Whether the interval holds the truth; an undefined one does not."""
    return (field(tests, "low") <= truth) & (truth <= field(tests, "high"))


def of_units(studies: Simulated, gap: int) -> dict[str, np.ndarray]:
    """The tests (S, D, ..., FIELDS) of cells and datasets, those over datasets (S, FIELDS), and the control's."""
    tests = studies.tests[gap]
    one = {name: tests[:, :, UNITS.index(name)] for name in UNITS[AUTOENCODERS:]}
    return {"cell": tests[:, :, CELLS], "study": studies.study[gap]} | one


def of_one(units: dict[str, np.ndarray], directed: bool = False) -> dict[str, Rate]:
    """How often the cell of a study with one autoencoder, or two, finds a gap."""

    def rate_of(unit: str) -> Rate:
        return rate(found(field(units[unit], "p"), field(units[unit], "effect") if directed else 1.0))

    # A control is the only autoencoder, like the cell of a study of one.
    names = {"cell of two autoencoders": TWO, ALONE: ONE}
    return {name: rate_of(unit) for name, unit in names.items()} | {LEAST_LEFT_OUT: rate_of(ONE_WITHOUT)}


def over_folds(studies: Simulated, gap: int) -> dict[str, np.ndarray]:
    """p of the t-tests over folds for every cell and dataset, and of the test over the datasets' means."""
    folds = studies.reconstruction - studies.latent[gap]  # (S, D, A, k)
    means = folds.mean(2)
    return {
        "cell": each(lambda gaps: corrected_t(gaps, TEST_OVER_TRAIN)["p"], folds),
        "dataset": each(lambda gaps: corrected_t(gaps, TEST_OVER_TRAIN)["p"], means),
        "study": each(lambda gaps: corrected_t(gaps)["p"], means.mean(2)),
    }


def each(of: Callable[[np.ndarray], float], values: np.ndarray) -> np.ndarray:
    """Apply a function along the last axis."""
    return np.apply_along_axis(of, -1, values)


def false_positives(studies: Simulated) -> dict[str, Rate]:
    """The false positives of every test if there is no gap."""
    units, folds = of_units(studies, 0), over_folds(studies, 0)
    pairs = (studies.reconstruction - studies.latent[0]).mean(3).reshape(len(studies.image), -1)
    images = (studies.reconstruction - studies.image[:, :, None]).mean(3).reshape(len(studies.image), -1)
    return {
        "cell": rate(found(field(units["cell"], "p"))),
        "cell, sampling only": rate(found(field(units["cell"], "p_sampling"))),
        **of_one(units),
        "cell, corrected t over folds": rate(found(folds["cell"])),
        "dataset": rate(found(field(units["dataset"], "p"))),
        "dataset, sampling only": rate(found(field(units["dataset"], "p_sampling"))),
        OWN_MEAN: rate(found(field(units["dataset, own excess"], "p"))),
        "dataset, corrected t over folds": rate(found(folds["dataset"])),
        "these datasets": rate(found(field(units["study"], "p"))),
        "a further dataset, t over means": rate(found(folds["study"])),
        "control found, 5 folds": rate(field(units["control"], "low") > 0),
        "control found, 2 folds, sampling only": rate(field(units["control of few"], "low") > 0),
        "signed ranks of 20 pairs, two-sided": rate(found(ranks(pairs, "two-sided"))),
        "signed ranks of 20 pairs, one-sided": rate(found(ranks(pairs, "greater"))),
        "signed ranks of 20 pairs, against images": rate(found(ranks(images, "two-sided"))),
    }


def ranks(differences: np.ndarray, alternative: str) -> np.ndarray:
    return each(lambda values: signed_rank(values, alternative)["p"], differences)


def power(studies: Simulated, gap: int) -> dict[str, Rate]:
    """How often a gap is found in its own direction."""
    units, folds = of_units(studies, gap), over_folds(studies, gap)
    rates = {}
    for name in ("cell", "dataset", "study"):
        effect = field(units[name], "effect")
        rates[name] = rate(found(field(units[name], "p"), effect))
        if name != "study":
            rates[f"{name}, sampling only"] = rate(found(field(units[name], "p_sampling"), effect))
        rates[f"{name}, t over {'means' if name == 'study' else 'folds'}"] = rate(found(folds[name], effect))
    rates |= of_one(units, directed=True)
    rates["control found, 5 folds"] = rate(field(units["control"], "low") > 0)
    rates["control found, 2 folds, sampling only"] = rate(field(units["control of few"], "low") > 0)
    return rates


def misses(studies: Simulated, gap: int) -> dict[str, Rate]:
    """How often an interval misses the true gap, which is the mean over all studies of each dataset."""
    units = of_units(studies, gap)
    effects = field(units["dataset"], "effect")
    truth = effects.mean(0)
    cell = field(units["cell"], "effect").mean((0, 2))[None, :, None]
    return {
        "cell": rate(~covered(units["cell"], cell)),
        "dataset": rate(~covered(units["dataset"], truth)),
        "study": rate(~covered(units["study"], truth.mean())),
        "control, 5 folds": rate(~covered(units["control"], field(units["control"], "effect").mean(0))),
    }


def equivalence(studies: Simulated, gap: int) -> dict[str, Rate]:
    """How often a gap as large as the margin is called smaller; the margin equals the true gap."""
    rates = {}
    for name, shown in (("control", "5 folds"), ("control of few", "2 folds, sampling only")):
        tests = of_units(studies, gap)[name]
        margin = field(tests, "effect").mean(0)
        inside = (field(tests, "low") > -margin) & (field(tests, "high") < margin)
        rates[f"control absent, {shown}"] = rate(inside)
    means = (studies.image[:, :, None] - studies.latent[gap]).mean((2, 3))  # (S, D)
    by_means = each(lambda values: tost(values, float(means.mean()))["p"], means)
    return rates | {"TOST over dataset means, one image run for all autoencoders": rate(by_means < ALPHA)}


def fidelity(studies: Simulated, ratios: Iterable[float], number: int, seed: int) -> dict[str, Rate]:
    """PSNR against a gap that does not depend on it, while autoencoders have gaps of their own.

    `ratios` are the standard deviations of these own gaps over that of cells. Both sides are centred within datasets.
    """
    random = np.random.default_rng([seed, 11])
    gaps = (studies.reconstruction - studies.latent[0]).mean(3)[:number]
    datasets, autoencoders = gaps.shape[1:]
    cells = pd.DataFrame(
        [(f"d{d}", f"a{a}") for d in range(datasets) for a in range(autoencoders)], columns=["dataset", "autoencoder"]
    )
    rates = {}
    for ratio in ratios:
        own = ratio * gaps.std() * random.standard_normal((len(gaps), 1, autoencoders))
        psnr = PSNR[0] * random.standard_normal((len(gaps), 1, autoencoders))
        psnr = psnr + PSNR[1] * random.standard_normal(gaps.shape)
        p = {"pearson": [], "spearman": []}
        for x, y in zip(psnr, gaps + own, strict=True):
            x, y = (pd.Series((side - side.mean(1, keepdims=True)).ravel()) for side in (x, y))
            for kind, values in p.items():
                values.append(correlation(kind, x, y, cells, datasets)["p"])
        name = f"autoencoders' own gaps × {ratio:g}"
        rates |= {f"{kind}, {name}": rate(np.array(values) < ALPHA) for kind, values in p.items()}
    return rates


def encoding(scenario: Scenario, number: int, seed: int) -> dict[str, Rate]:
    """How often the gap less that of a control is found although there is none."""
    stacks = [
        decomposed(designs(SMALL, seed), scenario, OF_A_STACK, [seed, 3, at]) for at in range(-(-number // OF_A_STACK))
    ]
    tests = np.concatenate(stacks)
    rates = {}
    for name, of in (("cell", tests[:, :, :AUTOENCODERS]), ("cell of one autoencoder", tests[:, :, AUTOENCODERS:])):
        rates |= {name: rate(found(field(of, "p"))), f"{name}, interval without 0": rate(~covered(of, 0.0))}
    return rates


def of_controls(frame: pd.DataFrame) -> dict[str, Rate]:
    """How often judged studies are said to fail their controls, and the verdicts of each control."""
    study = ["stack", "study"]
    rates = {"the controls fail": rate(frame.groupby(study)["fails"].first().to_numpy())}
    wanted = {LOSSLESS: ("absent", "found"), CIPHER: ("found",)}
    for control, of in frame.groupby("control", sort=False):
        for verdict in wanted.get(control, ("absent", "found")):
            said = (of["verdict"] == verdict).to_numpy().reshape(of.groupby(study).ngroups, -1)
            rates[f"{control} {verdict}"] = rate(said)
    return rates


def of_scores(frame: pd.DataFrame) -> dict[str, Rate]:
    """How often the corrected t over folds finds a difference: by comparison, metric, and data sets or their macro."""
    rates = {}
    for (comparison, metric, macro), of in frame.groupby(
        ["comparison", "metric", frame["dataset"] == MACRO], sort=False
    ):
        said = (of["p"] < ALPHA).to_numpy().reshape(of.groupby(["stack", "study"]).ngroups, -1)
        rates[f"{IN_WORDS[comparison]}, {metric}, {'macro' if macro else 'data set'}"] = rate(said)
    return rates


def shares(studies: Simulated, gap: int = 0) -> dict[str, float]:
    """Properties of the simulation: training's share of the variance of a cell's gap, fold sd, correlation of cells."""
    cells = studies.tests[gap][:, :, CELLS]
    folds = studies.reconstruction - studies.latent[gap]
    effects = field(cells, "effect")
    pairs = np.triu_indices(AUTOENCODERS, 1)
    correlations = [np.corrcoef(effects[:, at].T)[pairs].mean() for at in range(effects.shape[1])]
    variance = effects.var(0, ddof=1).mean()
    return {
        "share of training": float(1 - field(cells, "sampling").mean() / variance),
        "fold sd": float(folds.std(3, ddof=1).mean()),
        "correlation": float(np.mean(correlations)),
        "score": float(studies.reconstruction.mean()),
    }
