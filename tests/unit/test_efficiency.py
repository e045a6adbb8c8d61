"""Table 3's figures: against a step of known duration and known memory, and as one frame of a trained run."""

import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from learnability import efficiency, throughput, training
from learnability.checkpoints import write_tensors
from learnability.classifiers.classifier import build_classifier
from learnability.contracts import SCORES, InputError, read_json, write_json
from learnability.decoded_rows import image_decoder
from learnability.efficiency import measure_efficiency, measure_inference, measure_training
from learnability.throughput import Effort, Measured, device_name, measure, reset_peak, sweep
from tests.lights import CLASSES, IMAGE, LATENT, TRAIN, inputs, write_study
from tests.networks import described

pytestmark = pytest.mark.usefixtures("one_thread")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
QUICK = Effort(warmup=1, iterations=2, seconds=0.0, repeats=1)
COLUMNS = ["row", "dataset", "autoencoder", "space", "recipe", "metric", "value", "batch_size", "budget_s", "device"]
SPEEDS = ["inference_samples_per_second", "inference_peak_mb", "train_samples_per_second", "train_peak_mb"]


def train_step(model, x, label, epoch, loss, optimiser, recipe) -> torch.Tensor:
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
    """What a run leaves in its folder, as far as Table 3 reads it."""
    cell = inputs(study, recipe)["cell"]
    if cell["space"] == "latent":
        description = described(4, side=8, stem_patch=1)
    else:
        description = described(3, "resnet18", side=16, space="image")
    folder, description = study / cell["space"], description | cell | {"classes": CLASSES}
    write_tensors(build_classifier(description).state_dict(), folder / "model.safetensors")
    write_json(description, folder / "model.json")
    write_json(cell | scores, folder / "metrics.json")


def measure_run(study, recipe: dict, **changes) -> pd.DataFrame:
    given = inputs(study, recipe)
    arguments = {"row": given["cell"]["space"], "run": study / given["cell"]["space"], "recipe": recipe, "decode": None}
    arguments |= {key: given[key] for key in ("n_splits", "array", "dataset", "folds", "device")}
    arguments |= {"batch_sizes": [1, 4], "repeats": 1, "out": study / "row.csv"}
    measure_efficiency(**arguments | changes)
    return pd.read_csv(study / "row.csv", keep_default_na=False)


# Clocks and memory


@pytest.fixture
def spend(monkeypatch):
    """A clock that only a step moves: spend(seconds)."""
    now = [0.0]

    def spend(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return spend


@pytest.mark.parametrize("batch_size", [1, 20])
def test_a_step_of_known_duration_gives_its_samples_per_second(batch_size, spend):
    figures = measure(lambda: spend(0.02), batch_size, QUICK, CPU)
    assert figures.samples_per_second == pytest.approx(batch_size / 0.02)
    assert figures.reserved_mb == figures.peak_mb > 50


def test_one_slow_repeat_does_not_move_the_median_and_the_warm_up_is_not_timed(spend):
    left = [9.0, 9.0, 9.0] + [0.01] + [0.3] * 2 + [0.01] * 8  # warm-up, the trial, then five repeats of 2
    figures = measure(lambda: spend(left.pop(0)), 1, Effort(warmup=3, iterations=2, seconds=0, repeats=5), CPU)
    assert left == []
    assert figures.samples_per_second == pytest.approx(100)


def test_a_repeat_has_as_many_steps_as_take_its_seconds(spend):
    calls = []
    measure(lambda: calls.append(spend(0.03)), 1, Effort(warmup=1, iterations=2, seconds=0.1, repeats=2), CPU)
    assert len(calls) == 1 + 1 + 2 * 4


@pytest.mark.skipif(not reset_peak(CPU), reason="this system does not let a process reset its peak memory")
def test_the_peak_is_that_of_the_step_and_not_of_what_was_before_it():
    quiet = measure(lambda: None, 1, QUICK, CPU)
    before = np.ones(50_000_000, np.uint8)
    del before
    again = measure(lambda: None, 1, QUICK, CPU)
    hungry = measure(lambda: np.ones(50_000_000, np.uint8), 1, QUICK, CPU)
    assert again.peak_mb == pytest.approx(quiet.peak_mb, abs=10)
    assert hungry.peak_mb - quiet.peak_mb == pytest.approx(50, abs=10)
    assert "libraries included, peak after warm-up" in throughput.memory_measure(CPU)


def test_where_the_peak_cannot_be_reset_it_is_that_of_the_whole_life_and_said_so(monkeypatch, tmp_path):
    monkeypatch.setattr(throughput, "PROCESS", tmp_path / "none")  # a system without /proc
    assert "whole life" in throughput.memory_measure(CPU)
    assert throughput.peak_megabytes(CPU)[0] == pytest.approx(training.peak_megabytes(CPU), rel=0.01)


def test_a_gpu_is_timed_by_events_with_one_wait_and_its_peak_begins_after_the_warm_up(monkeypatch):
    """The order of the calls; the device itself is imitated."""
    calls = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            calls.append("record")

        def synchronize(self):
            calls.append("wait")

        def elapsed_time(self, end):
            return 500.0  # ms

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 166e6)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 200e6)
    effort = Effort(warmup=10, iterations=3, seconds=0, repeats=2)
    figures = measure(lambda: calls.append("step"), 8, effort, CUDA)
    timed = ["record", "step", "step", "step", "record", "wait"]
    assert calls == ["step"] * 10 + ["record", "step", "record", "wait", "reset"] + timed * 2
    assert figures == Measured(samples_per_second=8 * 3 / 0.5, peak_mb=166, reserved_mb=200)
    assert throughput.effort_on(CUDA, 5).warmup >= 10


# The sweep


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    ],
)
@pytest.mark.parametrize("fails_in", ["prepare", "step"])
def test_the_first_batch_that_does_not_fit_ends_the_sweep_and_the_log_says_so(error, fails_in, capsys):
    def fail():
        raise error

    def prepare(size):
        if size == 64 and fails_in == "prepare":
            fail()
        return fail if size == 64 else lambda: None

    assert list(sweep("training", prepare, [256, 1, 64, 8], QUICK, CPU)) == [1, 8]
    assert "training: a batch of 64 does not fit in memory; the sweep ends there\n" in capsys.readouterr().out


def test_a_real_allocation_that_fails_is_seen_as_one():
    def step():
        torch.empty(2**61, dtype=torch.uint8)

    assert sweep("inference", lambda size: step, [1], QUICK, CPU) == {}


def test_any_other_error_is_not_swallowed():
    def step():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        sweep("inference", lambda size: step, [1], QUICK, CPU)


@pytest.mark.skipif(not reset_peak(CPU), reason="this system does not let a process reset its peak memory")
def test_on_a_cpu_a_batch_that_would_take_all_memory_is_not_tried(monkeypatch):
    monkeypatch.setattr(throughput, "free_memory", lambda device: 200_000_000)
    tried = []

    def prepare(size):
        tried.append(size)
        return lambda: np.ones(20_000_000 * size, np.uint8)

    assert list(sweep("inference", prepare, [2, 4, 64], QUICK, CPU)) == [2, 4]
    assert tried == [2, 4]


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


def take(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.ones(size, 3, 4, 4, dtype=torch.float16), torch.zeros(size, dtype=torch.long)


@pytest.mark.parametrize(("bfloat16", "dtype"), [(None, torch.float32), (True, torch.bfloat16)])
def test_inference_is_in_evaluation_and_inference_mode_at_the_asked_batch_and_precision(bfloat16, dtype):
    model = Seen().train()
    figures = measure_inference(model, take, [2, 3], QUICK, bfloat16=bfloat16)
    assert list(figures) == [2, 3]
    assert model.seen == {((n, 3, 4, 4), torch.float32, dtype, False, True, False) for n in (2, 3)}


def test_training_trains_with_the_recipe_and_leaves_out_a_batch_of_one():
    model = Seen().eval()
    before = model.layer.weight.detach().clone()
    recipe = IMAGE | {"loss": "cross_entropy"}
    figures = measure_training(model, take, np.array([5, 5]), recipe, [1, 2], QUICK, step=train_step)
    assert list(figures) == [2]
    assert model.seen == {((2, 3, 4, 4), torch.float32, torch.float32, True, False, True)}
    assert not torch.equal(model.layer.weight, before)


def test_decoding_is_inside_the_time_of_both():
    def decode(z):
        time.sleep(0.05)
        return z.repeat_interleave(2, 2).repeat_interleave(2, 3)

    for decoded, shape in ((None, (2, 3, 4, 4)), (decode, (2, 3, 8, 8))):
        model = Seen()
        inference = measure_inference(model, take, [2], QUICK, decoded)[2]
        trained = measure_training(
            model, take, np.array([5, 5]), IMAGE | {"loss": "cross_entropy"}, [2], QUICK, decoded, train_step
        )[2]
        assert {seen[0] for seen in model.seen} == {shape}
        for figures in (inference, trained):
            assert (figures.samples_per_second < 2 / 0.05) == (decoded is not None)


# The row


@pytest.mark.parametrize("recipe", [IMAGE, LATENT], ids=["image", "latent"])
def test_a_row_has_the_scores_of_its_run_and_the_figures_of_each_batch_size(study, recipe):
    frame = measure_run(study, recipe)
    metrics = read_json(study / inputs(study, recipe)["cell"]["space"] / "metrics.json")
    assert list(frame.columns) == COLUMNS == efficiency.COLUMNS
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
    chosen = {key: given[key] for key in ("n_splits", "array", "dataset", "folds", "device")}
    data = efficiency.Data.open(given["cell"], decode=None, **chosen)
    x, label = data.take(100)  # 60 training rows, so the first 40 come again
    expected = np.concatenate([TRAIN, TRAIN[:40]])
    np.testing.assert_array_equal(x.numpy(), np.load(study / "latents.npy")[expected])
    samples = pd.read_parquet(study / "samples.parquet")
    np.testing.assert_array_equal(label.numpy(), samples["label"].to_numpy()[expected])
    assert data.counts.tolist() == samples["label"][TRAIN].value_counts().sort_index().tolist()


class Grey:
    """Decodes the four channels of the study's latents to grey images of 16 px."""

    channels, factor, latent_dtype, decodes = 4, 2, "float16", True

    def decode(self, z):
        grey = (z[:, :1] - 5) * 20 / 127.5 - 1
        return grey.expand(-1, 3, -1, -1).repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_the_image_row_decodes_latents(study, capsys):
    frame = measure_run(study, IMAGE, array=study / "latents.npy", decode=image_decoder(Grey(), 16), row="image")
    assert (frame["metric"] == "inference_samples_per_second").sum() == 2
    assert "image on" in capsys.readouterr().out


def test_rows_that_the_classifier_was_not_trained_on_are_refused_before_anything_is_measured(study, monkeypatch):
    monkeypatch.setattr(efficiency, "measure_inference", None)
    wrong = r"images_small.npy: rows of \[16, 16, 3\], but the classifier of .*latent was trained on \[4, 8, 8\]"
    with pytest.raises(InputError, match=wrong + "; give the array that this run reads"):
        measure_run(study, LATENT, array=study / "images_small.npy")
    with pytest.raises(InputError, match=r"latents.npy: decoded rows of \[3, 8, 8\]"):
        measure_run(study, IMAGE, array=study / "latents.npy", decode=image_decoder(Grey(), 8))
    assert not (study / "row.csv").exists()


def test_an_array_of_another_dataset_is_refused(study):
    np.save(study / "short.npy", np.load(study / "latents.npy")[:50])
    with pytest.raises(InputError, match=r"short.npy: 50 rows for 100 samples; delete it and run again"):
        measure_run(study, LATENT, array=study / "short.npy")
