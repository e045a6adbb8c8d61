"""A real, tiny study from images to tables; then what reruns after a change, and what does not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from learnability.datasets import open_source
from tests.conftest import copy_checkout, job_counts, run, snakemake

STUDY = ("--configfile", "tests/studies/wet.yaml")
FIGURES = dict.fromkeys(("draw_figure2", "draw_gaps", "draw_class_recall", "draw_training_curves"), 1)
TABLES = {"make_table1": 1, "test_significance": 1, "all": 1} | FIGURES
PHANTOM = {
    "format": "phantom", "modality": "echo", "groups": {"normal": 14, "defect": 7}, "images_per_group": [1, 3],
    "size": 64, "seed": 3,
}  # fmt: skip


def write_clinic(folder: Path) -> Path:
    """A data set as a user has it: PNG files, and a CSV with label and patient."""
    source = open_source(PHANTOM)
    (folder / "png").mkdir(parents=True)
    for i, name in enumerate(source.samples["sample_id"]):
        Image.fromarray(source.read(i)[..., 0]).save(folder / "png" / f"{name}.png")
    columns = {"sample_id": "image", "label_name": "diagnosis", "group": "patient"}
    source.samples.rename(columns=columns).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Path:
    return write_clinic(tmp_path_factory.mktemp("data") / "clinic")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, clinic) -> Path:
    """A checkout in which the study has run through."""
    folder = copy_checkout(tmp_path_factory.mktemp("wet") / "checkout")
    snakemake("--profile", "profiles/local", "--cores", "2", *STUDY, folder=folder, CLINIC_ROOT=str(clinic))
    return folder


def planned(folder: Path, *arguments: str, clinic="/nowhere", **options) -> dict[str, int]:
    return job_counts(snakemake("-n", *STUDY, *arguments, folder=folder, CLINIC_ROOT=str(clinic), **options))


def another(finished: Path, tmp_path: Path) -> Path:
    """A fresh clone with the results and Snakemake's records copied in."""
    folder = copy_checkout(tmp_path / "clone")
    for name in ("results/wet", ".snakemake"):
        shutil.copytree(finished / name, folder / name, dirs_exist_ok=True)
    return folder


def digest_of(results: Path) -> dict[str, bytes]:
    """The bytes of every file that must repeat."""
    patterns = ("tables/*", "significance/*", "figures/*", "runs/**/predictions.parquet", "runs/**/model.safetensors")
    paths = [path for pattern in patterns for path in results.glob(pattern)]
    assert len(paths) > 20
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


def test_every_promised_file_is_there_with_its_columns(finished):
    results = finished / "results" / "wet"
    table1 = pd.read_csv(results / "tables/table1.csv")
    assert list(table1) == ["dataset", "autoencoder", "role", "space", "recipe", "metric", "mean", "sd", "n_folds"]
    assert len(table1) == 5 * 3  # image, and two autoencoders in two spaces; three metrics
    assert set(table1["role"]) == {"baseline", "family", "control"}
    table2 = pd.read_csv(results / "tables/table2.csv")
    assert list(table2) == ["dataset", "autoencoder", "role", "metric", "mean", "sd", "n"]
    for name in ("latent_vs_reconstruction", "wilcoxon", "equivalence", "finetuning", "fidelity_vs_gap"):
        rows = pd.read_csv(results / f"significance/{name}.csv", keep_default_na=False)
        assert list(rows)[:4] == ["test", "comparison", "dataset", "autoencoder"]
        assert not (rows == "").any(axis=None)
    for extension in ("md", "html", "tex"):
        assert "SD 1.4-like" in (results / f"tables/table1.{extension}").read_text()
    for name in ("figure2", "figure3", "gaps", "class_recall", "training_curves"):
        assert "Phantoms on disk" in (results / f"figures/{name}.svg").read_text()
        assert (results / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((results / "study.json").read_text())["folds"] == [0, 1]


def test_the_lossless_control_is_image_space_byte_for_byte(finished):
    results = finished / "results" / "wet"
    small = (results / "datasets/clinic/images_small.npy").read_bytes()
    assert (results / "encodings/clinic/pixel_unshuffle_8/reconstructions.npy").read_bytes() == small
    table2 = pd.read_csv(results / "tables/table2.csv").set_index(["autoencoder", "metric"])["mean"]
    assert table2["pixel_unshuffle_8", "psnr"] == float("inf")
    assert "∞" in (results / "tables/table2.md").read_text()


def test_no_checkpoint_or_temporary_file_stays(finished):
    left = [path for path in (finished / "results/wet").rglob("*") if "checkpoint" in path.name or ".tmp" in path.name]
    assert left == []


def test_a_second_run_has_nothing_to_do(finished, clinic):
    assert planned(finished, clinic=clinic) == {}


def test_a_fresh_clone_with_moved_data_has_nothing_to_do(finished, tmp_path):
    """New time stamps on every file of the workflow, and a root that no longer exists."""
    assert planned(another(finished, tmp_path)) == {}


def test_one_recipe_value_reruns_exactly_its_jobs(finished, tmp_path):
    changed = tmp_path / "changed.yaml"
    changed.write_text("recipes: {latent: {mask: 0.3}}\n")
    assert planned(finished, str(changed)) == {"train_classifier": 4, **TABLES}


def test_editing_the_loss_reruns_trainings_and_a_comment_nothing(finished, tmp_path):
    folder = another(finished, tmp_path)
    losses = folder / "workflow/src/learnability/losses.py"
    losses.write_text("# A remark.\n" + losses.read_text())
    assert planned(folder) == {}
    losses.write_text(losses.read_text() + "\n\nADDED = 1\n")
    assert planned(folder) == {"train_classifier": 10, **TABLES}


def test_growing_runs_only_what_is_new(finished, tmp_path):
    grown = tmp_path / "grown.yaml"
    grown.write_text("study: {datasets: [clinic, second]}\n")
    counts = planned(finished, str(grown))
    assert counts["train_classifier"] == 10
    assert counts["prepare_dataset"] == 1
    assert counts["encode_dataset"] == 2


def test_a_smaller_study_is_refused(finished, tmp_path):
    smaller = tmp_path / "smaller.yaml"
    smaller.write_text("study: {autoencoders: [tiny_sd14]}\n")
    output = snakemake("-n", *STUDY, str(smaller), folder=finished, code=None)
    assert "'pixel_unshuffle_8'" in output
    assert "would vanish" in output


def test_forcerun_really_trains_again_and_gives_the_same_bytes(finished, clinic):
    cell = "results/wet/runs/clinic/latent/tiny_sd14/latent/fold1"
    predictions, metrics = finished / cell / "predictions.parquet", finished / cell / "metrics.json"
    before, stamp = predictions.read_bytes(), predictions.stat().st_mtime_ns
    path = f"{cell}/metrics.json"
    snakemake("--cores", "1", *STUDY, "--forcerun", path, "--", path, folder=finished, CLINIC_ROOT=str(clinic))
    assert predictions.stat().st_mtime_ns > stamp
    assert predictions.read_bytes() == before
    assert json.loads(metrics.read_text())["fold"] == 1
    snakemake("--cores", "2", *STUDY, folder=finished, CLINIC_ROOT=str(clinic))  # the tables follow


def kill_head(head: subprocess.Popen) -> None:
    """The head process alone dies: its jobs are orphans, its lock stays."""
    head.kill()


def terminate_head(head: subprocess.Popen) -> None:
    """What a shutdown, or a batch system, sends."""
    head.terminate()


def hear_control_c() -> None:
    """In a new process: what a shell starts in the background ignores the signal, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def press_control_c(head: subprocess.Popen) -> None:
    """A terminal sends the signal to the head process and its jobs alike."""
    os.killpg(head.pid, signal.SIGINT)


@pytest.mark.parametrize(
    "ends", [[kill_head] * 3, [press_control_c, terminate_head, press_control_c]], ids=["SIGKILL", "Ctrl-C and SIGTERM"]
)
def test_ended_three_times_the_study_goes_on_to_the_same_bytes(finished, clinic, tmp_path, ends):
    folder = copy_checkout(tmp_path / "ended")
    results = folder / "results" / "wet"
    command = [sys.executable, "-m", "learnability.launch", sys.executable, "-m", "snakemake"]
    command += ["--profile", "profiles/local", "--cores", "2", *STUDY]
    environment = os.environ | {"PYTHONPATH": str(folder / "workflow/src"), "CLINIC_ROOT": str(clinic)}
    moments = (
        lambda: (results / "folds/clinic.parquet").exists(),  # while it encodes
        lambda: list(results.glob("runs/**/checkpoint.safetensors")),  # in the middle of a training
        lambda: len(list(results.glob("runs/**/metrics.json"))) >= 5,  # some finished, some not begun
    )
    for reached, end in zip(moments, ends, strict=True):
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "preexec_fn": hear_control_c}
        head = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **options)
        while not reached():
            assert head.poll() is None, "the study finished before it was ended"
            time.sleep(0.02)
        end(head)
        head.wait(timeout=120)  # after SIGTERM, Snakemake lets the running jobs finish and calls that a success
        assert not (results / "tables").exists(), "the study finished before it was ended"
    output = run(*command, folder=folder, CLINIC_ROOT=str(clinic))
    assert ("that was killed" in output) == (kill_head in ends)
    assert digest_of(results) == digest_of(finished / "results/wet")


def test_a_broken_image_stops_with_its_name_and_leaves_nothing(tmp_path):
    folder, data = copy_checkout(tmp_path / "checkout"), write_clinic(tmp_path / "clinic")
    broken = sorted((data / "png").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:200])
    target = "results/wet/datasets/clinic/images.npy"
    output = snakemake("--cores", "1", *STUDY, "--", target, folder=folder, code=None, CLINIC_ROOT=str(data))
    assert broken.stem in output
    assert "max_bad_images" in output
    assert not (folder / target).exists()
    assert "Traceback" not in output
