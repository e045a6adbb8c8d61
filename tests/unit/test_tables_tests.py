"""Files of tests as pages."""

import re

import pandas as pd
import pytest

from learnability.significance.groups import compared, group_level, study_level
from learnability.significance.predictions import with_right
from learnability.significance.rows import TEST_COLUMNS
from learnability.study.presentation import all_labels
from learnability.tables.labels import Labels
from learnability.tables.tests import TITLES, render_tests
from tests.findings import GAPS, decomposition_of, frames_of_table1, with_means
from tests.grouped import write_study
from tests.published import published
from tests.rendered import html_grid
from tests.tried import planted

NAMES = all_labels(published())


def as_read(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as the rule reads it: all text."""
    return frame.astype(str)


def row_of(**values) -> dict:
    return dict.fromkeys(TEST_COLUMNS, "n/a") | {key: str(value) for key, value in values.items()}


def test_the_page_of_remedies_is_about_their_data_sets_alone():
    labels = [Labels(**NAMES, synthetic=frozenset({name}), leaking={name: 2}) for name in ("isic2019", "cardium")]
    tests = as_read(planted(recipes=["matched", "whiten"], autoencoders=["sd14"])[1])
    theirs, of_another = (render_tests("remedies", tests, own) for own in labels)
    for said in ("Phantom data: synthetic images, not patients.", "an identical copy in another group"):
        assert said in theirs
        assert said not in of_another


def test_a_page_has_labels_and_intervals_and_says_once_what_is_the_same():
    common = {"comparison": "reconstruction_vs_latent", "dataset": "isic2019", "metric": "balanced_accuracy"}
    common |= {"role": "family", "method": "t_df_4"}
    rows = [
        row_of(test="paired_t", autoencoder="sd14", effect=0.12345, ci_low=-0.01, ci_high=0.2567, p=0.00001, **common),
        row_of(test="corrected_paired_t", autoencoder="flux2", effect=-1.0, p="n/a", **common),
    ]
    text = render_tests("latent_vs_reconstruction", pd.DataFrame(rows), Labels(**NAMES))
    _, heads, first, second = html_grid(text)
    assert heads == ["test", "autoencoder", "p", "effect"]
    assert first == ["paired t", "SD 1.4", "1e−5", "0.123 [−0.01, 0.257]"]
    assert second == ["corrected paired t", "Flux.2", "–", "−1"]
    assert "comparison reconstruction less latent, dataset ISIC-2019" in text
    assert "hantom" not in text


def test_equal_images_that_were_kept_are_a_footnote_of_tests_on_them_or_over_all():
    pairs = tuple((name, tuple(values)) for name, values in GAPS.items())
    frames = frames_of_table1(pairs, 0.002, 5, 0.0, 0.0, (34.3, 40.2, 41.4, 29.9, 38.9))
    frames = {name: as_read(tests) for name, tests in frames.items() if name in TITLES}
    said = "Cardium: 7 images have an identical copy in another group and were kept"
    labels = Labels(**NAMES, leaking={"cardium": 7})
    for name, tests in frames.items():
        assert said in render_tests(name, tests, labels), name
    others = frames["latent_vs_reconstruction"]
    assert said not in render_tests("latent_vs_reconstruction", others[others["dataset"] == "isic2019"], labels)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """The tests over groups of a data set that a page may call a phantom."""
    metrics, paths, images = write_study(tmp_path_factory.mktemp("study"))
    cells = compared(with_right(metrics, paths, images), images)
    return {"group_level": group_level(cells, images), "study_level": study_level(cells, images)}


def test_every_file_of_tests_has_a_page(grouped):
    pairs = tuple((name, tuple(values)) for name, values in GAPS.items())
    frames = frames_of_table1(pairs, 0.002, 5, 0.0, 0.0, (34.3, 40.2, 41.4, 29.9, 38.9))
    frames |= dict.fromkeys(("gap_decomposition", "gap_by_share"), with_means(decomposition_of(GAPS))) | grouped
    for name in TITLES.keys() - {"ablation", "diagnostics_vs_gap", "remedies"}:
        text = render_tests(name, as_read(frames[name]), Labels(**NAMES, synthetic=frozenset({"cardium"})))
        assert len(html_grid(text)) == 2 + len(frames[name]), name
        assert f"significance/{name}.csv" in text
        level = {"wilcoxon": None, "equivalence": "90"}.get(name, "95")
        assert re.findall(r"In square brackets: (\d+) % intervals", text) == [level] * bool(level), name
        assert "Phantom data: synthetic images, not patients." in text, name


def test_the_mean_over_the_families_stands_apart_from_the_gaps_of_each():
    tests = as_read(with_means(decomposition_of(["isic2019"])))
    text = render_tests("gap_decomposition", tests, Labels(**NAMES))
    assert [row[:2] for row in html_grid(text)[2:]] == [["mean of the families", "n/a"], ["gaps", "Flux.2"]]
