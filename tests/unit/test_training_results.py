"""What a training writes and reads: predictions, metrics, the model; moments and weights from training rows alone."""

import errno
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn import metrics as reference

from learnability.classifiers.classifier import build_classifier
from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.storage.checkpoints import save_checkpoint
from learnability.storage.contracts import read_json, write_json, write_parquet
from learnability.training import engine as training
from learnability.training.fold_data import load_fold
from tests.lights import CLASSES, TEST, TRAIN, VALIDATION, inputs, teach, train, write_arrays, write_study
from tests.recipes import DISTILL, IMAGE, LATENT, recipe_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def study(tmp_path) -> Path:
    return write_study(tmp_path)


def arrays(study: Path) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the images and latents of a study, to be changed."""
    return np.array(open_packed(study / "images_small.npy")), np.array(open_packed(study / "latents.npy"))


def test_predictions_have_exactly_the_agreed_columns_rows_and_types(study):
    train(study, "run", IMAGE | {"epochs": 1})
    predictions = pd.read_parquet(study / "run" / "predictions.parquet")
    samples = pd.read_parquet(study / "samples.parquet")
    assert list(predictions.columns) == ["sample_id", "label", "split", *CLASSES]
    assert [dtype.name for dtype in predictions.dtypes[CLASSES]] == ["float64"] * 3
    assert predictions["label"].dtype.kind == "i"
    rows = np.concatenate([VALIDATION, TEST])
    assert predictions["sample_id"].tolist() == samples["sample_id"].iloc[rows].tolist()
    assert predictions["label"].tolist() == samples["label"].iloc[rows].tolist()
    assert predictions["split"].tolist() == ["validation"] * 20 + ["test"] * 20
    np.testing.assert_allclose(predictions[CLASSES].sum(axis=1), 1, atol=1e-12)


def test_metrics_are_those_that_scikit_learn_computes_from_the_predictions(study):
    train(study, "run", IMAGE | {"epochs": 6, "drw": IMAGE["drw"] | {"after_epoch": 5}})
    found = read_json(study / "run" / "metrics.json")
    predictions = pd.read_parquet(study / "run" / "predictions.parquet")
    test = predictions[predictions["split"] == "test"]
    label, probability = test["label"].to_numpy(), test[CLASSES].to_numpy()
    expected = {
        "balanced_accuracy": reference.balanced_accuracy_score(label, probability.argmax(axis=1)),
        "mcc": reference.matthews_corrcoef(label, probability.argmax(axis=1)),
        "auc": reference.roc_auc_score(label, probability, multi_class="ovr"),
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-12)
    assert found["balanced_accuracy"] > 0.6  # the class is the brightness: it can be learned
    history = pd.read_csv(study / "run" / "history.csv")
    assert found["best_epoch"] == history["epoch"][history["validation_balanced_accuracy"].argmax()]
    validation = predictions[predictions["split"] == "validation"]
    reached = reference.balanced_accuracy_score(validation["label"], validation[CLASSES].to_numpy().argmax(axis=1))
    assert history["validation_balanced_accuracy"].max() == pytest.approx(reached)  # the best weights were kept
    identity = {"dataset": "lights", "autoencoder": "original", "space": "image", "recipe": "tried", "fold": 1}
    identity |= {"seed": 1, "role": "baseline", "classes_used": 3, "epochs": 6, "device": "cpu"}
    identity |= {"n_train": 60, "n_validation": 20, "n_test": 20}
    assert {key: found[key] for key in identity} == identity
    assert found["train_samples_per_second"] > 0
    assert found["train_peak_mb"] > 50


def test_the_peak_of_a_training_is_said_without_what_it_keeps_resident(study, monkeypatch):
    logits = teach(study, "teacher")
    monkeypatch.setattr(training, "peak_megabytes", lambda device: 100.0)
    train(study, "image", IMAGE | {"epochs": 1})
    train(study, "student", LATENT | {"epochs": 1, "distill": DISTILL}, teacher_logits=logits)
    rows = {"image": 100 * 16 * 16 * 3, "student": 100 * 4 * 8 * 8 * 2 + 60 * 3 * 4}  # and float32 logits of 3 classes
    for name, held in rows.items():
        found = read_json(study / name / "metrics.json")
        assert found["resident_mb"] == held / 1e6
        assert found["train_peak_mb"] == 100 - held / 1e6


def test_the_saved_model_gives_the_saved_predictions_again(study):
    train(study, "run", LATENT | {"epochs": 2})
    description = json.loads((study / "run" / "model.json").read_text())
    model = build_classifier(description).eval()
    model.load_state_dict(load_file(study / "run" / "model.safetensors"))
    with torch.inference_mode():
        logits = model(torch.from_numpy(arrays(study)[1][TEST]))  # raw, as they are stored
    predictions = pd.read_parquet(study / "run" / "predictions.parquet")
    saved = predictions.loc[predictions["split"] == "test", description["classes"]]
    np.testing.assert_allclose(logits.double().softmax(1).numpy(), saved, atol=1e-5)


def test_latents_are_normalised_by_the_moments_of_the_training_rows(study):
    latents = arrays(study)[1].astype(float)
    given = inputs(study, LATENT)
    description = training.describe_run(
        given["cell"], recipe_of(LATENT), 1, training.load_fold(**given), given["inputs"]
    )
    model = build_classifier(description)
    z = model.normalise(torch.from_numpy(latents[TRAIN])).numpy()
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 2, 3)), 0.5, rtol=1e-5)
    np.testing.assert_allclose(description["mean"], latents[TRAIN].mean(axis=(0, 2, 3)), rtol=1e-9)


def test_a_constant_channel_is_normalised_to_zero(study):
    images, latents = arrays(study)
    latents[:, 2] = 3
    write_arrays(study, images, latents)
    given = inputs(study, LATENT)
    model = build_classifier(
        training.describe_run(given["cell"], recipe_of(LATENT), 1, training.load_fold(**given), given["inputs"])
    )
    assert (model.normalise(torch.from_numpy(latents))[:, 2] == 0).all()


@pytest.mark.parametrize("recipe", [IMAGE, LATENT], ids=["image", "latent"])
def test_poisoned_test_rows_change_nothing_but_their_own_predictions(study, recipe):
    recipe = recipe | {"epochs": 2}
    clean = train(study, "clean", recipe)
    images, latents = arrays(study)
    images[TEST], latents[TEST] = 255 - images[TEST], 1000
    write_arrays(study, images, latents)
    poisoned = train(study, "poisoned", recipe)
    assert poisoned["history.csv"] == clean["history.csv"]
    assert poisoned["model.safetensors"] == clean["model.safetensors"]
    assert read_json(study / "poisoned" / "model.json") == read_json(study / "clean" / "model.json")
    before, after = (pd.read_parquet(study / run / "predictions.parquet") for run in ("clean", "poisoned"))
    assert before[:20].equals(after[:20])  # validation
    assert (before[20:][CLASSES] != after[20:][CLASSES]).any(axis=None)


def test_validation_rows_choose_the_epoch_and_train_nothing(study):
    recipe = IMAGE | {"epochs": 2}
    train(study, "clean", recipe)
    images, latents = arrays(study)
    images[VALIDATION] = 255 - images[VALIDATION]
    write_arrays(study, images, latents)
    train(study, "poisoned", recipe)
    before, after = (pd.read_csv(study / run / "history.csv") for run in ("clean", "poisoned"))
    assert before["train_loss"].equals(after["train_loss"])


def test_a_loss_that_is_no_number_stops_the_training_with_what_to_do(study):
    images, latents = arrays(study)
    latents[TRAIN[5], 0, 0, 0] = np.nan
    write_arrays(study, images, latents)
    with pytest.raises(InputError, match=r"loss of epoch 1 is nan; lower recipes.*lr, or check the input"):
        train(study, "run", LATENT)
    assert list((study / "run").glob("*")) == []


def test_an_encoding_of_other_images_is_refused(study):
    card = read_json(study / "autoencoder.json")
    write_json(card | {"dataset_digest": "of others"}, study / "autoencoder.json")
    with pytest.raises(InputError, match=r"autoencoder\.json: encoded from other images than .*; delete it"):
        train(study, "run", LATENT)


def test_an_encoding_that_was_tuned_on_test_rows_of_the_fold_is_refused(study):
    card = read_json(study / "autoencoder.json")
    write_json(card | {"fold": 1}, study / "autoencoder.json")  # the fold of the run
    load_fold(**inputs(study, LATENT))
    write_json(card | {"fold": 2}, study / "autoencoder.json")
    with pytest.raises(
        InputError, match=r"autoencoder\.json: fine-tuned on the training rows of fold 2, .* fold 1 tests"
    ):
        load_fold(**inputs(study, LATENT))


def test_an_array_of_another_length_is_refused(study):
    images, latents = arrays(study)
    write_arrays(study, images[:-1], latents)
    with pytest.raises(InputError, match=r"images_small\.npy: 99 rows for 100 samples; delete it"):
        train(study, "run", IMAGE)


def test_folds_that_leave_a_split_empty_are_refused(study):
    folds = pd.read_parquet(study / "folds.parquet")
    write_parquet(folds.assign(fold=folds["fold"].replace(2, 3)), study / "folds.parquet")
    with pytest.raises(InputError, match=r"folds\.parquet: fold 1 has no validation rows"):
        train(study, "run", IMAGE)


def test_a_last_batch_of_one_is_left_out_because_batch_norm_cannot_train_on_it(study):
    train(study, "run", IMAGE | {"epochs": 1, "batch_size": 59})  # of 60 training rows
    assert np.isfinite(pd.read_csv(study / "run" / "history.csv")["train_loss"]).all()


def test_a_full_disk_names_the_checkpoint_that_does_not_fit(tmp_path, small_disk):
    model = torch.nn.Linear(100, 100)
    with pytest.raises(OSError, match=r"checkpoint\.safetensors could not be written.*File too large") as caught:
        save_checkpoint(tmp_path / "checkpoint.safetensors", "me", model, {}, [torch.optim.Adam([model.weight])], {})
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []
