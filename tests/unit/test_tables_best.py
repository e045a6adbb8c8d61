"""Bold values and marks: which value is best, and compared with what, in every format."""

import re

import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.significance.ablation import ablation
from learnability.tables.formats import render
from learnability.tables.frames import deciding_tests
from learnability.tables.labels import Labels
from learnability.tables.layout import Best, Layout
from learnability.tables.table1 import render_table1
from learnability.tables.table2 import render_table2
from learnability.tables.table3 import render_table3
from learnability.tables.table4 import render_table4, table4
from tests.findings import ROWS, metrics_of_table4, table3_of

LABELS = Labels(
    {"cardium": "Cardium", "imagenet": "ImageNet"},
    {"sd14": "SD 1.4", "flux2": "Flux.2", "unshuffle": "Unshuffle"},
    rows={name: name for name in (*ROWS, "image", "latent_distilled")},
)
LEVELS = {
    ("original", "image"): 0.9, ("sd14", "latent"): 0.5, ("flux2", "latent"): 0.6, ("unshuffle", "latent"): 0.8,
    ("sd14", "reconstruction"): 0.7001, ("flux2", "reconstruction"): 0.7004,
}  # fmt: skip


def table1_of(levels=LEVELS, n_folds=5):
    roles = {"original": "baseline", "unshuffle": "control"}
    rows = [
        ("cardium", name, roles.get(name, "family"), space, "image", metric, level, 0.012, n_folds)
        for (name, space), level in levels.items()
        for metric in ("balanced_accuracy", "auc", "mcc")
    ]
    columns = ["dataset", "autoencoder", "role", "space", "recipe", "metric", "mean", "sd", "n_folds"]
    return pd.DataFrame(rows, columns=columns)


def gap_tests(**p_corrected):
    """Tests of the gap in every metric, one corrected p per autoencoder."""
    rows = [
        {"test": test, "comparison": "reconstruction_vs_latent", "dataset": "cardium", "autoencoder": name}
        | {"metric": metric, "p_corrected": p if test == "corrected_paired_t" else 1e-9}
        for name, p in p_corrected.items()
        for metric in ("balanced_accuracy", "auc", "mcc")
        for test in ("paired_t", "corrected_paired_t")
    ]
    return pd.DataFrame(rows)


def bold(text: str) -> list[str]:
    return re.findall(r"\| \*\*(.*?)\*\* ", text)


def test_bold_in_every_format():
    layout = Layout("T", "c", ["a"], [("s", ["h", "k"])], [[("*x", [[Best("-.5 ± .1*"), "-.5 ± .1"]])]], [])
    rendered = render(layout)
    assert r"| \*x | **-.5 ± .1\*** | -.5 ± .1 |" in rendered["md"]
    assert "<td><b>-.5 ± .1*</b></td><td>-.5 ± .1</td>" in rendered["html"]
    assert r"{*}x & \textbf{$-$.5$\pm$.1{*}} & $-$.5$\pm$.1 \\" in rendered["tex"]


def test_the_best_family_of_each_space_is_bold_and_ties_as_printed_are_too():
    rendered = render_table1(table1_of(), LABELS)
    assert bold(rendered["md"]) == [".700 ± .012"] * 3 + [".600 ± .012"] * 3 + [".700 ± .012"] * 3
    assert "Bold: the best autoencoder of each space." in rendered["md"]
    alone = {key: level for key, level in LEVELS.items() if key[0] != "flux2"}
    assert bold(render_table1(table1_of(alone), LABELS)["md"]) == []


def test_latent_scores_that_differ_from_reconstruction_are_marked():
    text = render_table1(table1_of(), LABELS, tests=gap_tests(sd14=0.049, flux2=0.05, unshuffle="n/a"))["md"]
    assert text.count("‡ ") - text.count("‡ differs") == 3
    assert "| SD 1.4 | LS | .500 ± .012‡ |" in text
    assert "| Flux.2 | LS | **.600 ± .012** |" in text  # .05 is not below .05
    assert "‡ differs from RS: p \\< .05" in text
    assert "‡" not in render_table1(table1_of(), LABELS)["md"]


def test_the_test_over_groups_decides_balanced_accuracy_from_three_folds_on():
    over_folds = gap_tests(sd14=0.01, flux2=0.2, unshuffle="n/a").assign(method="t_df_4")
    of_groups = over_folds[over_folds["test"].eq("paired_t") & over_folds["metric"].eq("balanced_accuracy")]
    of_groups = of_groups.assign(test="paired_groups", method="sampling and training", p_corrected=[0.3, 0.02, "n/a"])
    images = of_groups.assign(comparison="reconstruction_vs_image", p_corrected=1e-9)
    of_groups = pd.concat([images, of_groups])
    tests = deciding_tests(over_folds, of_groups)
    assert len(tests) == 9
    text = render_table1(table1_of(), LABELS, tests=tests)["md"]
    assert "| SD 1.4 | LS | .500 ± .012 | .500 ± .012‡ | .500 ± .012‡ |" in text
    assert "| Flux.2 | LS | **.600 ± .012‡** | **.600 ± .012** | **.600 ± .012** |" in text
    assert "of bACC by the two-sided test over groups of images" in text
    two_folds = deciding_tests(over_folds, of_groups.assign(method="sampling only"))
    text = render_table1(table1_of(n_folds=2), LABELS, tests=two_folds)["md"]
    assert "| SD 1.4 | LS | .500 ± .012‡ | .500 ± .012‡ | .500 ± .012‡ |" in text
    assert "two-sided t-test paired by fold" in text
    assert "groups" not in text


def test_a_cell_without_its_test_is_an_error():
    with pytest.raises(InputError, match="no test of cardium, sd14, balanced_accuracy, reconstruction_vs_latent"):
        render_table1(table1_of(), LABELS, tests=gap_tests(flux2=0.01))


def test_one_fold_explains_no_mark():
    tests = gap_tests(sd14="n/a", flux2="n/a")
    assert "‡" not in render_table1(table1_of(n_folds=1), LABELS, tests=tests)["md"]


def test_the_best_fidelity_is_that_of_a_family():
    rows = [
        ("cardium", name, role, metric, value, 0.1, 3)
        for name, role, values in (
            ("sd14", "family", (34.21, 0.98)),
            ("flux2", "family", (34.18, 0.99)),
            ("unshuffle", "control", (float("inf"), 1.0)),
        )
        for metric, value in zip(("psnr", "ssim"), values, strict=True)
    ]
    columns = ["dataset", "autoencoder", "role", "metric", "mean", "sd", "n"]
    table = pd.DataFrame(rows, columns=columns).assign(identical=0)
    assert bold(render_table2(table, LABELS)["md"]) == ["34.2", ".990", "34.2"]  # both PSNR are printed as 34.2


def test_the_best_efficiency_is_the_highest_score_the_highest_speed_and_the_least_memory():
    text = render_table3(table3_of(), LABELS)["md"]
    assert bold(text) == ["3,200", "166", "1,067", "166"] + [".711"] * 3 + ["3,200", "166", "1,067", "166"]


def test_the_best_latent_classifier_is_bold_and_reconstruction_is_not_compared():
    effects = {"reconstruction": 0.1, "latent": -0.1, "distilled": -0.06, "tuned": -0.11, "noise_conditioned": -0.2}
    metrics = metrics_of_table4(effects, 0.002, 5, ["cardium"])
    text = render_table4(table4(metrics, ROWS, range(5)), LABELS, ablation(metrics, ROWS), {}, with_sd=False)["md"]
    assert bold(text) == [".640†‡"] * 3


def test_noise_conditioning_is_tested_against_the_tuned_row_too():
    metrics = metrics_of_table4({name: 0.01 * i for i, name in enumerate(ROWS)}, 0.002, 5, ["cardium"])
    tests = ablation(metrics, ROWS)
    own = tests[(tests["comparison"] == "noise_conditioned_vs_tuned") & (tests["dataset"] == "cardium")]
    assert len(own) == 2 * 3
    assert own["effect"].astype(float).to_numpy() == pytest.approx(0.01)
    assert (own["p"] == own["p_corrected"]).all()  # a family of its own
