"""A real, tiny study from images to tables that uses every rule; then what a change makes run again, and what not."""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from learnability.commands.verify import verify
from learnability.study.configuration import read_config
from learnability.summary.controls import controls_of
from tests.chromium import needs_chromium
from tests.conftest import CHECKOUT, copy_checkout, job_counts, run, snakemake
from tests.documented import undocumented
from tests.imported import imported_beyond_digest, read_notes
from tests.latex import assert_good_latex
from tests.stopping import end_head, kill_head, press_control_c, terminate_head
from tests.tiny_study import RESULTS, STUDY, assert_tuned_per_fold, digest_of, write_clinic
from tests.whole_study import (
    assert_controls,
    assert_gap_decomposition,
    assert_python_of_the_pages,
    assert_report_in_a_browser,
    assert_summary_in_a_browser,
    assert_table4,
    assert_values_of_searches,
    figures_of,
    noise_curves,
    table3_under_one_budget,
)

NOTES = "imported"  # a file per job: what it imported
PAGES = ("judge_claims", "compare_published", "show_tests", "show_controls", "write_summary")
FIGURES = ("draw_figure2", "draw_gaps", "draw_class_recall", "draw_training_curves", "draw_noise_levels")
FIGURES += ("draw_diagnostics_vs_gap", "draw_gap_decomposition")
TABLES = ("make_gap", "make_table1", "make_table3", "make_table4", "make_table5", "make_ablation_controls")
TABLES += ("make_gap_by_frequency",)
TESTS = ("test_significance", "test_groups", "test_ablation", "test_diagnostics", "decompose_gap", "judge_controls")
# What is made anew where runs of Table 1 and of the others are.
FOLLOWS = dict.fromkeys((*PAGES, *FIGURES, *TABLES, *TESTS, "all"), 1)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Path:
    return write_clinic(tmp_path_factory.mktemp("data") / "clinic")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, clinic) -> Path:
    """A checkout in which the study has run through."""
    folder = copy_checkout(tmp_path_factory.mktemp("wet") / "checkout")
    (folder / NOTES).mkdir()
    noting = {"NOTES": str(folder / NOTES), "PYTHONPATH": f"{folder}/workflow/src:{folder}/tests/noting"}
    snakemake("--profile", "profiles/local", "--cores", "2", *STUDY, folder=folder, CLINIC_ROOT=str(clinic), **noting)
    return folder


@pytest.fixture(scope="module")
def results(finished) -> Path:
    return finished / RESULTS


def planned(folder: Path, *arguments: str, clinic="/nowhere", **options) -> dict[str, int]:
    return job_counts(snakemake("-n", *STUDY, *arguments, folder=folder, CLINIC_ROOT=str(clinic), **options))


def another(finished: Path, tmp_path: Path) -> Path:
    """A fresh clone with the results and Snakemake's records copied in."""
    folder = copy_checkout(tmp_path / "clone")
    for name in (RESULTS, ".snakemake"):
        shutil.copytree(finished / name, folder / name, dirs_exist_ok=True)
    return folder


# ---- What the jobs used ----


def test_a_job_imports_nothing_but_what_its_digest_is_of(finished):
    """Otherwise an edit of that module would change results that count as up to date."""
    notes = read_notes(finished / NOTES)
    assert len({note["rule"] for note in notes}) > 25
    config = read_config(CHECKOUT / STUDY[1])
    beyond = {note["rule"]: found for note in notes if (found := imported_beyond_digest(note, finished, config))}
    assert beyond == {}


# ---- What the study leaves ----


def test_every_rule_of_the_demo_ran_and_some_more(finished, results):
    demo = job_counts(snakemake("-n", "--configfile", "workflow/studies/demo.yaml", folder=finished))
    assert len(demo) > 25
    ran = {path.name for path in (results / "logs").iterdir()}
    assert {*demo, "encode_latents", "make_ablation_controls"} - {"all"} <= ran


def test_every_promised_file_is_there_with_its_columns(results):
    table1 = pd.read_csv(results / "tables/table1.csv")
    assert list(table1) == ["dataset", "autoencoder", "role", "space", "recipe", "metric", "mean", "sd", "n_folds"]
    assert len(table1) == (1 + 4 + 3) * 3  # image, latents, reconstructions where there is a decoder; three metrics
    assert set(table1["role"]) == {"baseline", "family", "control"}
    table2 = pd.read_csv(results / "tables/table2.csv")
    assert list(table2) == ["dataset", "autoencoder", "role", "metric", "mean", "sd", "n", "identical"]
    for name in (
        "latent_vs_reconstruction", "group_level", "study_level", "wilcoxon", "equivalence", "finetuning",
        "fidelity_vs_gap", "diagnostics_vs_gap",
    ):  # fmt: skip
        rows = pd.read_csv(results / f"significance/{name}.csv", keep_default_na=False)
        assert list(rows)[:4] == ["test", "comparison", "dataset", "autoencoder"]
        assert not (rows == "").any(axis=None)
    for extension in ("md", "html", "tex"):
        assert "SD 1.4-like" in (results / f"tables/table1.{extension}").read_text()
    assert figures_of(results) == {
        "figure2", "figure3", "gaps", "class_recall", "training_curves", "noise_levels", "spectra",
        "diagnostics_vs_gap", "learning_curves", "decoder_depth", "remedies", "gap_decomposition",
    }  # fmt: skip
    for name in figures_of(results):
        assert "Phantoms on disk" in (results / f"figures/{name}.svg").read_text()
        assert (results / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((results / "study.json").read_text())["folds"] == [0, 1]


def test_every_file_and_column_is_in_the_readme_of_results(results):
    assert undocumented(results) == []


def test_every_digest_of_the_folder_is_that_of_its_file(results):
    compared, damaged = verify(results)
    assert damaged == {}
    files = [path for path in results.rglob("*") if path.suffix in (".npy", ".json", ".parquet", ".safetensors")]
    assert compared >= len([path for path in files if path.name != "config.json"])


def test_the_lossless_control_is_image_space_byte_for_byte(results):
    small = (results / "datasets/clinic/images_small.npy").read_bytes()
    assert (results / "encodings/clinic/pixel_unshuffle_8/reconstructions.npy").read_bytes() == small
    table2 = pd.read_csv(results / "tables/table2.csv").set_index(["autoencoder", "metric"])["mean"]
    assert table2["pixel_unshuffle_8", "psnr"] == float("inf")
    assert "∞" in (results / "tables/table2.md").read_text()
    runs = [results / f"runs/clinic/{name}/image" for name in ("image/original", "reconstruction/pixel_unshuffle_8")]
    for fold in ("fold0", "fold1"):
        image, reconstruction = ((run / fold / "predictions.parquet").read_bytes() for run in runs)
        assert image == reconstruction


def test_an_encoder_without_a_decoder_has_latents_and_no_more(results):
    files = {path.name for path in (results / "encodings/clinic/random_init_8").iterdir()}
    assert files == {"latents.npy", "channel_sums.npy", "autoencoder.json"}
    spaces = pd.read_csv(results / "tables/table1.csv").groupby("autoencoder")["space"].apply(set)
    assert spaces["random_init_8"] == {"latent"}


def test_each_fold_has_weights_of_its_own_and_table_2_covers_its_test_images(results):
    assert_tuned_per_fold(results, "clinic", "tiny_sd14_ft")
    assert "Tuned: fine-tuned for each fold on its training images alone" in (results / "tables/table2.md").read_text()


def test_table4_searches_and_noise_curves_are_of_the_runs_that_they_name(results):
    assert_table4(results, {"clinic"}, "tiny_sd14")
    assert_values_of_searches(results, 2)
    noise_curves(results, 2)


def test_table3_has_four_rows_under_one_budget(results):
    assert (table3_under_one_budget(results)["budget_s"] == 1).all()


def test_the_gap_is_decomposed_on_the_lossless_control_of_the_grid(results):
    assert_gap_decomposition(results, "tiny_sd14")


def test_the_controls_are_judged_and_said_first(results):
    controls = assert_controls(results, "clinic")
    assert set(controls["verdict"]) <= {"found", "absent", "cannot be told", "n/a"}
    assert set(controls["method"]) == {"sampling only"}
    begins = controls_of(results).lead[:20]  # labels may stand in the rest
    assert begins in (results / "summary.html").read_text(encoding="utf-8").partition(">What was measured</h2>")[0]
    assert (results / "controls.rst").read_text(encoding="utf-8").startswith(f"**{begins}")


def test_every_table_parses_and_compiles_as_latex(results, tmp_path):
    texts = [path.read_text(encoding="utf-8") for path in sorted(results.glob("tables/*.tex"))]
    assert len(texts) == 16  # gap (2), six tables, controls, probes (3), decoders (2), claims, published
    assert_good_latex(texts, tmp_path)


def test_the_python_of_the_pages_finds_the_numbers_of_the_table(finished):
    assert_python_of_the_pages(finished, str(RESULTS), "clinic", "tiny_sd14")


@needs_chromium
def test_summary_and_report_are_whole_in_a_browser(finished, results, clinic, tmp_path):
    """Figure 3 shows images of a data set that nobody has called shareable, so neither page has it."""
    shown = figures_of(results) - {"figure3"}
    assert_summary_in_a_browser(results, shown, tmp_path)
    assert_report_in_a_browser(results, shown, tmp_path, *STUDY, folder=finished, CLINIC_ROOT=str(clinic))


def test_no_checkpoint_or_temporary_file_stays(results):
    left = [path for path in results.rglob("*") if "checkpoint" in path.name or ".tmp" in path.name]
    assert left == []


# ---- What reruns, and what does not ----


def test_a_second_run_has_nothing_to_do(finished, clinic):
    assert planned(finished, clinic=clinic) == {}


def test_a_fresh_clone_with_moved_data_has_nothing_to_do(finished, tmp_path):
    """New time stamps on every file of the workflow, and a root that no longer exists."""
    assert planned(another(finished, tmp_path)) == {}


def test_one_recipe_value_reruns_exactly_its_jobs(finished, tmp_path):
    changed = tmp_path / "changed.yaml"
    changed.write_text("recipes: {latent: {mask: 0.3}}\n")
    # Those of `latent` in Table 1, and of what is based on it: three rows of Table 4, two of Table 3.
    jobs = {"train_classifier": 8 + 6 + 2, "search_recipe": 2, "trace_noise_curve": 2, "measure_efficiency": 2}
    assert planned(finished, str(changed)) == jobs | FOLLOWS


def test_editing_the_loss_reruns_trainings_and_a_comment_nothing(finished, tmp_path):
    folder = another(finished, tmp_path)
    loss = folder / "workflow/src/learnability/training/losses/ldam_drw.py"
    loss.write_text("# A remark.\n" + loss.read_text())
    assert planned(folder) == {}
    assert "** -0.25" in loss.read_text()
    loss.write_text(loss.read_text().replace("** -0.25", "** -0.5"))
    counts = planned(folder)
    assert (counts["train_classifier"], counts["train_with_decoder"], counts["search_recipe"]) == (45, 3, 2)
    assert not {"prepare_dataset", "make_folds", "encode_dataset", "finetune_autoencoder", "make_table2"} & {*counts}


def test_results_of_a_version_that_computes_the_same_are_taken_over_unless_they_are_damaged(finished, tmp_path):
    folder = another(finished, tmp_path)
    losses = folder / "workflow/src/learnability/training/losses/ldam_drw.py"
    losses.write_text(losses.read_text() + "\n\nADDED = 1\n")
    assert planned(folder)["train_classifier"] > 30
    adopt = (sys.executable, "-m", "learnability.cli", "adopt", *STUDY)
    latents = folder / RESULTS / "encodings/clinic/tiny_sd14/latents.npy"
    whole = latents.read_bytes()
    latents.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    output = run(*adopt, folder=folder, code=1, CLINIC_ROOT="/nowhere")
    assert "tiny_sd14/latents.npy: not what the card beside it says; remove it and run the study again" in output
    assert planned(folder)["train_classifier"] > 30
    latents.write_bytes(whole)
    before = digest_of(folder / RESULTS)
    run(*adopt, folder=folder, CLINIC_ROOT="/nowhere")
    assert planned(folder) == {}
    assert digest_of(folder / RESULTS) == before


def test_growing_runs_only_what_is_new(finished, tmp_path):
    grown = tmp_path / "grown.yaml"
    grown.write_text("study: {datasets: [clinic, second]}\n")
    counts = planned(finished, str(grown))
    # Table 1, Table 4, the gap's decomposition and the controls; not Table 3.
    assert counts["train_classifier"] == 16 + 6 + 8 + 4
    assert counts["prepare_dataset"] == 1
    assert (counts["finetune_autoencoder"], counts["encode_dataset"], counts["encode_latents"]) == (2, 5, 1)


def test_a_smaller_study_is_refused(finished, tmp_path):
    smaller = tmp_path / "smaller.yaml"
    smaller.write_text("study: {autoencoders: [tiny_sd14, tiny_sd14_ft, random_init_8]}\n")
    output = snakemake("-n", *STUDY, str(smaller), folder=finished, code=None)
    assert "'pixel_unshuffle_8'" in output
    assert "would vanish" in output


def test_forcerun_really_trains_again_and_gives_the_same_bytes(finished, results, clinic):
    """All tables, tests and figures that follow have the same bytes too."""
    cell, before = "runs/clinic/latent/tiny_sd14/latent/fold1", digest_of(results)
    made = [f"{cell}/predictions.parquet", f"{cell}/metrics.json", *(name for name in before if "runs/" not in name)]
    others = (
        "table2", "table3", "figure3", "noise_levels", "spectra", "probes", "information", "learning_curve",
        "learning_curves", "gap_by_share", "decoder_depth", "across_spaces", "remedies", "table6",
    )  # fmt: skip
    made = [results / name for name in made if Path(name).stem not in others]
    stamps = [path.stat().st_mtime_ns for path in made]
    path = str(RESULTS / cell / "metrics.json")
    snakemake("--cores", "1", *STUDY, "--forcerun", path, "--", path, folder=finished, CLINIC_ROOT=str(clinic))
    snakemake("--cores", "2", *STUDY, folder=finished, CLINIC_ROOT=str(clinic))
    assert all(path.stat().st_mtime_ns > stamp for path, stamp in zip(made, stamps, strict=True))
    assert digest_of(results) == before
    assert json.loads((results / cell / "metrics.json").read_text())["fold"] == 1


# ---- A study that is ended on the way ----


def test_ended_three_times_a_table_comes_to_the_same_bytes(finished, clinic, tmp_path):
    """A table of one autoencoder, of six trainings: what the head goes through is the same for every table.

    It runs as `make demo` does: with jobs that start warm, whose bytes are those of jobs that did not.
    """
    folder = copy_checkout(tmp_path / "ended")
    results = folder / RESULTS
    command = [sys.executable, "-m", "learnability.workflow.launch"]
    command += [sys.executable, "-m", "learnability.workflow.warm_snakemake"]
    command += ["ablation_controls", "--profile", "profiles/local", "--cores", "2", *STUDY]
    ends = (
        (press_control_c, lambda: (results / "folds/clinic.parquet").exists()),  # while it encodes
        (terminate_head, lambda: any("epoch 1/" in log.read_text() for log in results.glob("logs/train_*/*.log"))),
        (kill_head, lambda: len(list(results.glob("runs/**/metrics.json"))) >= 4),  # some finished, some not begun
    )
    for end, reached in ends:
        end_head(command, folder, reached, end, CLINIC_ROOT=str(clinic))
        assert not (results / "tables").exists(), "the study finished before it was ended"
    output = run(*command, folder=folder, CLINIC_ROOT=str(clinic))
    assert "that was killed" in output
    ended, whole = digest_of(results), digest_of(finished / RESULTS)
    assert len(ended) == 4 + 6 * 3  # the table in four formats; predictions, weights and history
    assert ended == {name: whole[name] for name in ended}
