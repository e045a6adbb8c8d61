"""The files between the steps: what is written is read back, and errors name the file."""

import json

import numpy as np
import pandas as pd
import pytest

from learnability.datasets.source import check_samples
from learnability.errors import InputError
from learnability.storage.contracts import (
    digest,
    file_digest,
    read_encodings,
    read_fidelity,
    read_json,
    read_metrics,
    read_predictions,
    read_samples,
    write_csv,
    write_json,
    write_parquet,
)

CLASSES = ["nodule", "No Finding", "1a"]


def predictions_frame():
    probability = np.random.default_rng(0).dirichlet(np.ones(3), size=4)
    frame = pd.DataFrame({"sample_id": list("wxyz"), "label": [0, 1, 2, 0], "split": ["validation", "test"] * 2})
    return frame.assign(**dict(zip(CLASSES, probability.T, strict=True)))


def run(fold=0, **changes):
    cell = {"dataset": "isic2019", "autoencoder": "flux2", "space": "latent", "recipe": "latent", "fold": fold}
    return cell | {"seed": fold, "role": "family", "balanced_accuracy": 0.5, "auc": 0.75, "mcc": -0.1} | changes


def write_runs(folder, *runs):
    paths = [folder / f"{number}.json" for number in range(len(runs))]
    for path, content in zip(paths, runs, strict=True):
        path.write_text(json.dumps(content))
    return [str(path) for path in paths]


def test_samples_come_back_as_they_were(tmp_path):
    samples = pd.DataFrame({"sample_id": ["007", "NA"], "label": [1, 0], "label_name": ["b", "a"], "group": ["1", "2"]})
    write_parquet(samples, tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(read_samples(tmp_path / "samples.parquet"), samples)


def test_predictions_come_back_to_the_last_bit(tmp_path):
    predictions = predictions_frame()
    write_parquet(predictions, tmp_path / "p.parquet")
    back = read_predictions(tmp_path / "p.parquet", CLASSES)
    pd.testing.assert_frame_equal(back, predictions, check_exact=True)
    assert (back.dtypes[CLASSES] == np.float64).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame[["sample_id", "label", "split", *sorted(CLASSES)]], "columns .*expected"),
        (lambda frame: frame.assign(logit=0.0), "columns .*expected"),
        (lambda frame: frame.drop(columns="1a"), "columns .*expected"),
        (lambda frame: frame.assign(nodule=frame["nodule"] + 1e-6), "do not sum to one"),
        (lambda frame: frame.assign(nodule=np.nan), "do not sum to one"),
    ],
)
def test_predictions_that_are_not_probabilities_of_the_classes_are_refused(tmp_path, change, message):
    write_parquet(change(predictions_frame()), tmp_path / "p.parquet")
    with pytest.raises(InputError, match=rf"p\.parquet: .*{message}.*; delete it and run again"):
        read_predictions(tmp_path / "p.parquet", CLASSES)


def test_fidelity_may_be_infinite_but_not_nan(tmp_path):
    fidelity = pd.DataFrame({"sample_id": ["a", "b"], "psnr": [np.inf, 30.0], "ssim": [1.0, 0.9]})
    write_parquet(fidelity, tmp_path / "f.parquet")
    pd.testing.assert_frame_equal(read_fidelity(tmp_path / "f.parquet"), fidelity)
    write_parquet(fidelity.assign(ssim=[1.0, np.nan]), tmp_path / "f.parquet")
    with pytest.raises(InputError, match=r"f\.parquet: NaN in fidelity"):
        read_fidelity(tmp_path / "f.parquet")


def test_encodings_take_their_identity_from_the_cards(tmp_path):
    paths = []
    for number, name in enumerate(["sd14", "flux2"]):
        frame = pd.DataFrame({"sample_id": ["a", "b"], "psnr": [30.0, 31.0 + number], "ssim": [0.8, 0.9]})
        (tmp_path / name).mkdir()
        write_parquet(frame, tmp_path / name / "fidelity.parquet")
        card = {"dataset": "cardium", "autoencoder": name, "role": "family", "channels": 4}
        write_json(card, tmp_path / name / "autoencoder.json")
        paths.append((str(tmp_path / name / "fidelity.parquet"), str(tmp_path / name / "autoencoder.json")))
    frame = read_encodings(*map(list, zip(*paths, strict=True)))
    assert list(frame.columns) == ["dataset", "autoencoder", "role", "sample_id", "psnr", "ssim"]
    assert frame["autoencoder"].tolist() == ["sd14", "sd14", "flux2", "flux2"]
    assert frame["psnr"].tolist() == [30.0, 31.0, 30.0, 32.0]
    fidelity, card = paths[1]
    write_json(read_json(card) | {"digest_fidelity": file_digest(fidelity)}, card)
    read_encodings(*map(list, zip(*paths, strict=True)))
    write_parquet(pd.read_parquet(fidelity).assign(psnr=40.0), fidelity)
    with pytest.raises(InputError, match=r"flux2/fidelity\.parquet: damaged, not what digest_fidelity of autoencoder"):
        read_encodings(*map(list, zip(*paths, strict=True)))
    nothing = read_encodings([], [])
    assert nothing.columns.tolist() == frame.columns.tolist()
    assert nothing[["psnr", "ssim"]].dtypes.tolist() == frame[["psnr", "ssim"]].dtypes.tolist()


def test_metrics_are_one_row_per_run(tmp_path):
    frame = read_metrics(write_runs(tmp_path, run(0), run(1, mcc=0.25)))
    assert frame["fold"].tolist() == [0, 1]
    assert frame["mcc"].tolist() == [-0.1, 0.25]


def test_two_files_of_the_same_run_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"the same run: .*'flux2'.*'latent'"):
        read_metrics(write_runs(tmp_path, run(0), run(1), run(0, mcc=0.3)))


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("metric", ["balanced_accuracy", "auc", "mcc"])
def test_a_score_that_is_no_number_is_refused_with_its_file(tmp_path, metric, score):
    with pytest.raises(InputError, match=r"1\.json: a score is not a number; delete it"):
        read_metrics(write_runs(tmp_path, run(0), run(1, **{metric: score})))


def test_a_csv_keeps_full_precision_and_text(tmp_path):
    table = pd.DataFrame({"dataset": ["a", "b"], "value": [0.1 + 0.2, 1 / 3], "p": ["n/a", "0.5"]})
    write_csv(table, tmp_path / "t.csv")
    back = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(back, table, check_exact=True)


@pytest.mark.parametrize("empty", [np.nan, None])
def test_an_empty_cell_is_refused_and_nothing_is_written(tmp_path, empty):
    with pytest.raises(ValueError, match=r"t\.csv: NaN in column\(s\) \['sd'\]"):
        write_csv(pd.DataFrame({"mean": [0.5, 0.6], "sd": [0.1, empty]}), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_card_comes_back_and_is_readable_by_a_person(tmp_path):
    card = {"classes": ["b", "a"], "label": "Nützel", "value": 0.1, "none": None, "nested": {"x": [1, 2]}}
    write_json(card, tmp_path / "card.json")
    assert read_json(tmp_path / "card.json") == card
    text = (tmp_path / "card.json").read_text(encoding="utf-8")
    assert "Nützel" in text
    assert text.count("\n") > 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan")])
def test_json_refuses_what_is_no_number_and_keeps_the_old_file(tmp_path, value):
    write_json({"auc": 0.5}, tmp_path / "card.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"auc": value}, tmp_path / "card.json")
    assert read_json(tmp_path / "card.json") == {"auc": 0.5}


def test_the_digest_follows_content_and_not_the_order_of_keys(tmp_path):
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1, "b": [1, 2]}) != digest({"a": 1, "b": [2, 1]})
    (tmp_path / "file").write_bytes(b"abc")
    assert file_digest(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_id": ["a", "a"]}, "1 duplicate sample id, the first is 'a'.*remove"),
        ({"label_name": ["x", None]}, "1 row without label_name, the first is 'b'; fill them in"),
        ({"group": ["", ""]}, "2 rows without group, the first is 'a'"),
    ],
)
def test_samples_without_identity_label_or_group_are_refused(change, message):
    samples = pd.DataFrame({"sample_id": ["a", "b"], "label_name": ["x", "y"], "group": ["1", "2"]})
    check_samples(samples, "labels.csv")
    with pytest.raises(InputError, match=f"labels.csv: {message}"):
        check_samples(samples.assign(**change), "labels.csv")


def test_a_dataset_without_rows_is_refused():
    with pytest.raises(InputError, match=r"labels\.csv: no labelled image found"):
        check_samples(pd.DataFrame(columns=["sample_id", "label_name", "group"]), "labels.csv")
