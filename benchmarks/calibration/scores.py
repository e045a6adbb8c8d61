"""Runs the tests over folds on simulated studies: AUC, MCC and Table 4, each data set and the macro average."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax

from learnability.significance.ablation import ablation
from learnability.training.metrics import area_under_curve, balanced_accuracy, matthews_correlation

from .designs import N_SPLITS, Design
from .studies import Scenario, an_autoencoder, draw_views, tested

# Rows of Table 4 without a difference; the third has the same latents, trained once more.
ROWS = {"reconstruction": ("reconstruction", "image"), "latent": ("latent", "latent"), "again": ("latent", "again")}
GAP, OF_LATENTS = "latent_vs_reconstruction", "again_vs_latent"


def compared(designs: Sequence[Design], scenario: Scenario, studies: int, seed: Sequence[int]) -> pd.DataFrame:
    """p of the corrected t in studies of one autoencoder: study, dataset (or `macro`), comparison, metric, p."""
    runs = []
    for number, design in enumerate(designs):
        random = np.random.default_rng([*seed, number])
        views = draw_views(design, number, studies, random)
        latents = an_autoencoder(views, "LS", random)
        own = {"reconstruction": an_autoencoder(views, "RS", random), "latent": latents, "again": latents}
        for row, features in own.items():
            probability = softmax(tested(views, features, (1.0,), scenario, random)[0], axis=2)
            runs += [_run(f"d{number}", row, design, probability, *at) for at in np.ndindex(studies, N_SPLITS)]
    found = []
    for study, of_study in pd.DataFrame(runs).groupby("study"):
        tests = ablation(of_study, ROWS).query("test == 'corrected_paired_t' and comparison in [@GAP, @OF_LATENTS]")
        found.append(tests[["dataset", "comparison", "metric", "p"]].assign(study=study))
    return pd.concat(found, ignore_index=True)


def _run(dataset: str, row: str, design: Design, probability: np.ndarray, study: int, fold: int) -> dict:
    test = design.fold == fold
    label, of_test = design.label[test], probability[study][test]
    predicted = of_test.argmax(1)
    space, recipe = ROWS[row]
    run = {"dataset": dataset, "autoencoder": "one", "space": space, "recipe": recipe, "fold": fold, "study": study}
    run |= {"role": "family", "n_test": test.sum(), "n_train": len(test) * (N_SPLITS - 2) // N_SPLITS}
    run |= {"balanced_accuracy": balanced_accuracy(label, predicted), "mcc": matthews_correlation(label, predicted)}
    return run | {"auc": area_under_curve(label, of_test, positive=1)[0]}
