"""Rejection sampling against numbers worked out by hand: ties, rates, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from learnability import cli
from learnability.errors import InputError
from learnability.generation.filtering import keep
from learnability.storage.contracts import write_parquet

CLASSES = ["None", "melanoma"]
MELANOMA = [0.9, 0.2, 0.5, 0.5, 0.5, 0.7]
INTENDED = ["melanoma", "None", "melanoma", "melanoma", "None", "None"]  # its probabilities: .9 .8 .5 .5 .5 .3


@pytest.fixture
def files(tmp_path):
    """Scores of six samples, and a table of their classes in another order, with a sample that has no score."""
    names = [f"{i}.png" for i in range(6)]
    frame = pd.DataFrame({"sample_id": names, "None": 1 - np.array(MELANOMA), "melanoma": MELANOMA})
    write_parquet(frame, tmp_path / "scores.parquet")
    labels = pd.DataFrame({"sample_id": names, "label_name": INTENDED, "seed": 1}).iloc[::-1]
    pd.concat([labels, pd.DataFrame([{"sample_id": "x", "label_name": "?"}])]).to_csv(
        tmp_path / "labels.csv", index=False
    )
    return tmp_path / "scores.parquet", tmp_path / "kept.csv", tmp_path / "labels.csv"


def rows(path) -> list[tuple]:
    return list(pd.read_csv(path, keep_default_na=False, dtype={"sample_id": str}).itertuples(index=False, name=None))


def test_a_threshold_keeps_what_reaches_it(files):
    scores, out, labels = files
    rates = keep(scores, out, labels, None, 0.5, None)
    melanoma, none = ("melanoma", "None")
    expected = [("0.png", melanoma, 0.9), ("1.png", none, 0.8), ("2.png", melanoma, 0.5), ("3.png", melanoma, 0.5)]
    assert rows(out) == [*expected, ("4.png", none, 0.5)]
    expected = [("None", 3, 2, 2 / 3), ("melanoma", 3, 3, 1.0), ("all", 6, 5, 5 / 6)]
    assert rows(out.with_name("kept_acceptance.csv")) == expected
    assert list(rates.itertuples(index=False, name=None)) == expected


@pytest.mark.filterwarnings("error")
def test_the_best_of_each_class_are_kept_and_ties_go_to_the_first(files):
    scores, out, labels = files
    keep(scores, out, labels, None, None, 2)
    assert [row[0] for row in rows(out)] == ["0.png", "1.png", "2.png", "4.png"]
    keep(scores, out, labels, None, None, 9)
    assert len(rows(out)) == 6


def test_many_ties_go_to_the_first(files):
    scores, out, _ = files
    none = np.random.default_rng(0).choice([0.25, 0.5, 0.75], 1000)
    frame = pd.DataFrame({"sample_id": list(map(str, range(1000))), "None": none, "melanoma": 1 - none})
    write_parquet(frame, scores)
    keep(scores, out, None, "None", None, 500)
    high, middle = np.flatnonzero(none == 0.75), np.flatnonzero(none == 0.5)
    expected = sorted([*high, *middle[: 500 - len(high)]])
    assert [row[0] for row in rows(out)] == list(map(str, expected))


def test_one_class_may_be_meant_by_all(files):
    scores, out, _ = files
    rates = keep(scores, out, None, "melanoma", None, 4)
    assert [row[::2] for row in rows(out)] == [("0.png", 0.9), ("2.png", 0.5), ("3.png", 0.5), ("5.png", 0.7)]
    assert list(rates["label_name"]) == ["melanoma", "all"]


def test_the_command_prints_the_rates_and_names_its_files(files, capsys):
    scores, out, labels = map(str, files)
    cli.main(["filter", "--scores", scores, "--intended", labels, "--threshold", "0.6", "--out", out])
    printed = capsys.readouterr().out
    lines = [[cell.strip() for cell in line.strip("│┃ \n").split("│")] for line in printed.splitlines() if "│" in line]
    assert lines == [["None", "3", "1", "0.333"], ["melanoma", "3", "1", "0.333"], ["all", "6", "2", "0.333"]]
    assert f"Kept samples: {out}   rates: {out.replace('.csv', '_acceptance.csv')}" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (None, "nevus", 0.5, None),
            r"--class: class 'nevus' is not in .*scores.parquet; it has \['None', 'melanoma'\]",
        ),
        ((None, "melanoma", 1.5, None), "--threshold 1.5: expected a probability, 0 to 1"),
        ((None, "melanoma", None, 0), "--best 0: expected at least 1"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(files, arguments, message):
    with pytest.raises(InputError, match=message):
        keep(*files[:2], *arguments)
    assert not files[1].exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "labels.csv does not exist; expected a CSV file with the columns sample_id, label_name"),
        (
            "sample_id,label\n0.png,None\n",
            r"labels.csv: columns \['sample_id', 'label'\]; expected sample_id, label_name",
        ),
        ("sample_id,label_name\n0.png,None\n", "no class for 5 scored samples, the first is '1.png'; add them"),
        ("sample_id,label_name\n0.png,None\n0.png,None\n", "sample '0.png' appears twice"),
        ("sample_id,label_name\n" + "".join(f"{i}.png,mole\n" for i in range(6)), "labels.csv: class 'mole' is not in"),
    ],
)
def test_labels_that_do_not_fit_are_refused(files, content, message):
    scores, out, labels = files
    labels.unlink()
    if content:
        labels.write_text(content)
    with pytest.raises(InputError, match=message):
        keep(scores, out, labels, None, 0.5, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda frame: frame.drop(columns="sample_id"),
            r"columns \['None', 'melanoma'\]; expected sample_id and one float",
        ),
        (lambda frame: frame.assign(melanoma=1), r"expected sample_id and one float64 column per class"),
        (lambda frame: frame.assign(melanoma=np.nan), "rows are missing or do not sum to one"),
        (lambda frame: frame.iloc[:0], "rows are missing or do not sum to one"),
        (lambda frame: frame.assign(sample_id="a"), "sample 'a' appears twice; name each sample once"),
    ],
)
def test_scores_that_are_none_are_refused(files, change, message):
    scores, out, labels = files
    write_parquet(change(pd.read_parquet(scores)), scores)
    with pytest.raises(InputError, match=message):
        keep(scores, out, labels, None, 0.5, None)
    scores.write_text("no parquet")
    with pytest.raises(InputError, match=r"scores.parquet: not a Parquet file: .*; write it with `learnability score`"):
        keep(scores, out, labels, None, 0.5, None)
    scores.unlink()
    with pytest.raises(InputError, match=r"scores.parquet does not exist; write it with `learnability score`"):
        keep(scores, out, labels, None, 0.5, None)
