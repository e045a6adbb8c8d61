"""Table 3's figures: what is inside a measured step, and the frame of one run."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from learnability.autoencoders.decoding import image_decoder
from learnability.classifiers.classifier import build_classifier
from learnability.efficiency import measure as efficiency
from learnability.efficiency.measure import measure_efficiency, measure_inference, measure_training
from learnability.efficiency.throughput import Timing, device_name
from learnability.errors import InputError
from learnability.storage.checkpoints import write_tensors
from learnability.storage.contracts import SCORES, read_json, write_json
from learnability.training import engine as training
from learnability.training.fold_data import load_fold
from tests.lights import CLASSES, TRAIN, inputs, write_study
from tests.networks import described
from tests.recipes import IMAGE, LATENT, recipe_of

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
QUICK = Timing(warmup=1, iterations=2, seconds=0.0, repeats=1)
COLUMNS = ["row", "dataset", "autoencoder", "space", "recipe", "metric", "value", "batch_size", "budget_s", "device"]
SPEEDS = ["inference_samples_per_second", "inference_peak_mb", "train_samples_per_second", "train_peak_mb"]


def train_step(model, x, label, epoch, loss, optimiser, recipe, teacher=None) -> torch.Tensor:
    """One step of the engine without its augmentation and masking, under which nothing here would differ."""
    value = loss(model(x.float()), label, epoch)
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    optimiser.step()
    return value.detach()


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study with a run in each space, folders `image` and `latent`, of classifiers that nobody trained."""
    monkeypatch.setattr(training, "train_step", train_step, raising=False)
    folder = write_study(tmp_path)
    for number, recipe in enumerate((IMAGE, LATENT)):
        write_run(folder, recipe, {name: 0.25 + 0.1 * i + number for i, name in enumerate(SCORES)})
    return folder


def write_run(study, recipe: dict, scores: dict) -> None:
    """Write what Table 3 reads from the folder of a run."""
    cell = inputs(study, recipe)["cell"]
    if cell["space"] == "latent":
        description = described(4, side=8, stem_patch=1)
    else:
        description = described(3, "resnet18", side=16, space="image")
    folder, description = study / cell["space"], description | cell | {"classes": CLASSES}
    write_tensors(build_classifier(description).state_dict(), folder / "model.safetensors")
    write_json(description, folder / "model.json")
    write_json(cell | scores, folder / "metrics.json")


def measure_run(study, recipe: dict, row: str | None = None, **changes) -> pd.DataFrame:
    """Measure the run of a recipe, with other inputs than its own where `changes` names them."""
    given = inputs(study, recipe)
    space, read = given["cell"]["space"], replace(given["inputs"], **changes)
    data = load_fold(given["cell"], given["n_splits"], read, CPU, keep=False, compare=False)
    measure_efficiency(row or space, study / space, recipe_of(recipe), data, [1, 4], 1, CPU, study / "row.csv")
    return pd.read_csv(study / "row.csv", keep_default_na=False)


# Inference and training


class Seen(torch.nn.Module):
    """Notes what a classifier is called with, and in which mode."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(1, 2), set()

    def forward(self, x):
        logits = self.layer(x.mean(dim=(1, 2, 3), keepdim=True).flatten(1))
        mode = (self.training, torch.is_inference_mode_enabled(), torch.is_grad_enabled())
        self.seen.add((tuple(x.shape), x.dtype, logits.dtype, *mode))
        return logits


def batches(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.ones(size, 3, 4, 4, dtype=torch.float16), torch.zeros(size, dtype=torch.long)


@pytest.mark.parametrize(("bfloat16", "dtype"), [(None, torch.float32), (True, torch.bfloat16)])
def test_inference_is_in_evaluation_and_inference_mode_at_the_asked_batch_and_precision(bfloat16, dtype):
    model = Seen().train()
    figures = measure_inference(model, batches, [2, 3], QUICK, bfloat16=bfloat16)
    assert list(figures) == [2, 3]
    assert model.seen == {((n, 3, 4, 4), torch.float32, dtype, False, True, False) for n in (2, 3)}


def test_training_trains_with_the_recipe_and_leaves_out_a_batch_of_one():
    model = Seen().eval()
    before = model.layer.weight.detach().clone()
    recipe = recipe_of(loss="cross_entropy")
    figures = measure_training(model, batches, torch.tensor([5, 5]), recipe, [1, 2], QUICK, step=train_step)
    assert list(figures) == [2]
    assert model.seen == {((2, 3, 4, 4), torch.float32, torch.float32, True, False, True)}
    assert not torch.equal(model.layer.weight, before)


def test_decoding_is_inside_the_time_of_both():
    def decode(z):
        time.sleep(0.05)
        return z.repeat_interleave(2, 2).repeat_interleave(2, 3)

    for decoded, shape in ((None, (2, 3, 4, 4)), (decode, (2, 3, 8, 8))):
        model = Seen()
        inference = measure_inference(model, batches, [2], QUICK, decoded)[2]
        trained = measure_training(
            model, batches, torch.tensor([5, 5]), recipe_of(loss="cross_entropy"), [2], QUICK, decoded, train_step
        )[2]
        assert {seen[0] for seen in model.seen} == {shape}
        for figures in (inference, trained):
            assert (figures.samples_per_second < 2 / 0.05) == (decoded is not None)


# The row


@pytest.mark.parametrize("recipe", [IMAGE, LATENT], ids=["image", "latent"])
def test_a_row_has_the_scores_of_its_run_and_the_figures_of_each_batch_size(study, recipe):
    frame = measure_run(study, recipe)
    metrics = read_json(study / inputs(study, recipe)["cell"]["space"] / "metrics.json")
    assert list(frame.columns) == COLUMNS == efficiency.TABLE3_ROW_COLUMNS
    for key in ("dataset", "autoencoder", "space", "recipe"):
        assert set(frame[key]) == {metrics[key]}
    assert set(frame["row"]) == {metrics["space"]}
    assert set(frame["budget_s"]) == {"n/a"}
    assert set(frame["device"]) == {device_name(CPU)}
    scores = frame[frame["batch_size"] == recipe["batch_size"]].set_index("metric")["value"]
    assert scores.to_dict() == {name: metrics[name] for name in ("balanced_accuracy", "auc", "mcc")}
    speeds = frame[frame["metric"].isin(SPEEDS)]
    assert set(speeds[speeds["batch_size"] == 4]["metric"]) == set(SPEEDS)
    assert set(speeds[speeds["batch_size"] == 1]["metric"]) == set(SPEEDS[:2])
    assert len(frame) == 3 + 4 + 2
    assert (speeds["value"] > 0).all()


def test_a_row_says_which_budget_its_training_had(study):
    assert set(measure_run(study, LATENT | {"budget_seconds": 86400})["budget_s"]) == {86400}


def test_the_training_rows_of_the_fold_are_what_is_worked_on(study):
    given = inputs(study, LATENT)
    data = load_fold(given["cell"], given["n_splits"], given["inputs"], CPU, keep=False)
    batch = efficiency.TrainingBatches(data.rows, data.label, data.split["train"])
    x, label = batch(100)  # 60 rows, so the first 40 come again
    expected = np.concatenate([TRAIN, TRAIN[:40]])
    np.testing.assert_array_equal(x.numpy(), np.load(study / "latents.npy")[expected])
    samples = pd.read_parquet(study / "samples.parquet")
    np.testing.assert_array_equal(label.numpy(), samples["label"].to_numpy()[expected])


@pytest.mark.parametrize("loss", ["mse", "kl"])
def test_the_step_of_a_student_is_measured_with_logits_of_a_teacher(study, monkeypatch, loss):
    monkeypatch.undo()  # the engine's own step
    distill = {"teacher": {"space": "image", "recipe": "image"}, "hard_weight": 0.5, "loss": loss, "temperature": 2}
    frame = measure_run(study, LATENT | {"distill": distill})
    assert (frame["metric"] == "train_samples_per_second").sum() == 1


class Grey:
    """Decodes the four channels of the study's latents to grey images of 16 px."""

    channels, factor, latent_dtype, decodes, stochastic = 4, 2, "float16", True, False

    def decode(self, z):
        grey = (z[:, :1] - 5) * 20 / 127.5 - 1
        return grey.expand(-1, 3, -1, -1).repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_the_image_row_decodes_latents(study, capsys):
    decode = image_decoder("grey", Grey(), 16)
    frame = measure_run(study, IMAGE, array=study / "latents.npy", decode=decode, row="image")
    assert (frame["metric"] == "inference_samples_per_second").sum() == 2
    assert "image on" in capsys.readouterr().out


def test_rows_that_the_classifier_was_not_trained_on_are_refused_before_anything_is_measured(study, monkeypatch):
    monkeypatch.setattr(efficiency, "measure_inference", None)
    wrong = r"^rows of \[16, 16, 3\], but the classifier of .*latent was trained on \[4, 8, 8\]"
    write_json(read_json(study / "autoencoder.json") | {"digest_images_small": "x"}, study / "autoencoder.json")
    with pytest.raises(InputError, match=wrong + "; give the array that this run reads"):
        measure_run(study, LATENT, array=study / "images_small.npy")
    with pytest.raises(InputError, match=r"^decoded rows of \[3, 8, 8\]"):
        measure_run(study, IMAGE, array=study / "latents.npy", decode=image_decoder("grey", Grey(), 8))
    assert not (study / "row.csv").exists()


def test_an_array_of_another_dataset_is_refused(study):
    np.save(study / "short.npy", np.load(study / "latents.npy")[:50])
    write_json(read_json(study / "autoencoder.json") | {"digest_short": "x"}, study / "autoencoder.json")
    with pytest.raises(InputError, match=r"short.npy: 50 rows for 100 samples; delete it and run again"):
        measure_run(study, LATENT, array=study / "short.npy")
