"""What an edit of the code runs again on the finished demo: nothing, or what it can have changed (docs/rerun.md)."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, copy_checkout, job_counts, snakemake

PACKAGE = "workflow/src/learnability"
PAGES = {"judge_claims", "compare_published", "write_summary", "all"}
TESTS = {"test_significance", "test_groups", "test_ablation", "test_diagnostics", "decompose_gap", "judge_controls"}
TESTS |= {"test_remedies", "decompose_gap_by_share"}
FIGURES = {f"draw_{name}" for name in ("figure2", "figure3", "gaps", "class_recall", "training_curves", "noise_levels")}
FIGURES |= {"draw_spectra", "draw_diagnostics_vs_gap", "draw_learning_curves", "draw_decoder_depth", "draw_remedies"}
FIGURES |= {"draw_gap_decomposition"}
PROBES = {"make_probes", "make_information", "make_learning_curve", "draw_learning_curves"}
TRAININGS = {"train_classifier": 145, "train_with_decoder": 9, "search_recipe": 4}
BY_LDAM = TRAININGS | {"train_classifier": 133}  # the others are probes, by cross-entropy


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the checkout that sees the finished demo and Snakemake's records of it."""
    assert (CHECKOUT / "results/demo/summary.html").is_file(), "run `make test-demo`, which runs the demo first"
    folder = copy_checkout(tmp_path_factory.mktemp("edited") / "checkout")
    (folder / "results/demo").symlink_to(CHECKOUT / "results/demo")
    shutil.copytree(CHECKOUT / ".snakemake", folder / ".snakemake", ignore=shutil.ignore_patterns("locks", "log"))
    return folder


def planned(folder: Path) -> dict[str, int]:
    return job_counts(snakemake("-n", "--configfile", "workflow/studies/demo.yaml", folder=folder))


def planned_after(folder: Path, edits: dict[str, tuple[str, str]]) -> dict[str, int]:
    """The jobs that Snakemake plans after each file's first text is replaced by its second; the edit is undone."""
    before = {}
    try:
        for name, (old, new) in edits.items():
            path = folder / PACKAGE / name
            before[path] = path.read_text(encoding="utf-8")
            assert before[path].count(old) >= 1, (name, old)
            path.write_text(before[path].replace(old, new, 1), encoding="utf-8")
        return planned(folder)
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")


def test_the_finished_demo_plans_nothing(copy):
    assert planned(copy) == {}


WORDS = {
    "training/engine.py": ("def class_counts", "# A comment.\ndef class_counts"),
    "training/fold_data.py": ('"""The files that a run reads;', '"""Other words;'),
    "storage/batches.py": ("keep: bool = True", "keep: int = True"),
    "storage/checkpoints.py": ("import errno\n", "import errno\nimport io  # noqa: F401\n"),
    "storage/arrays.py": ("array, content = open_packed(path), hashlib.sha256()",
                 "array, content = (\n        open_packed(path),\n        hashlib.sha256(),\n    )"),
    "storage/contracts.py": ("a score is not a number", "a score is no number"),
    "datasets/prepare.py": ("exact duplicates: ", "equal images: "),
    "significance/gap.py": ("import pandas as pd\n", "import pandas as pd\nimport math  # noqa: F401\n"),
    "registry.py": ('"recipes.*.loss": {', '"recipes.*.loss": {"new": "training.losses.new", '),
}  # fmt: skip
UNUSED = [
    *(f"datasets/formats/{name}.py" for name in ("cardium", "table")),
    *(f"autoencoders/controls/{name}.py" for name in ("area_downsample", "random_init")),
    *(f"autoencoders/families/{name}.py" for name in ("medvae", "medvae_keys", "custom")),
    *(f"classifiers/{name}.py" for name in ("noise/flow", "noise/vp", "heads/cosine")),
    "training/augmentation.py",
    *(f"study/{name}.py" for name in ("search_space", "recipes", "cells")),
]


def test_words_layout_annotations_and_imports_rerun_nothing(copy):
    assert planned_after(copy, WORDS) == {}


def test_what_no_job_of_the_demo_uses_reruns_nothing(copy):
    assert planned_after(copy, dict.fromkeys(UNUSED, ("\n\n\n", "\n\n\nEDITED = 1\n\n\n"))) == {}


def test_a_module_that_is_moved_with_its_importers_reruns_nothing(copy):
    moved = copy / PACKAGE / "storage/interruption.py"
    texts = {path: path.read_text() for path in (copy / PACKAGE).rglob("*.py")}
    before = {path: text for path, text in texts.items() if ".interruption import" in text}
    assert len(before) >= 2
    room = moved.with_name("waiting")
    room.mkdir()
    (room / "__init__.py").write_text('"""A new room."""\n')
    (room / "stopped.py").write_text(moved.read_text())
    moved.unlink()
    try:
        for path, text in before.items():
            path.write_text(text.replace(".interruption import", ".waiting.stopped import"))
        assert planned(copy) == {}
    finally:
        moved.write_text((room / "stopped.py").read_text())
        for path, text in before.items():
            path.write_text(text)
        for path in (*room.glob("*.py"),):
            path.unlink()
        room.rmdir()


@pytest.mark.parametrize(
    ("name", "edit", "rules"),
    [
        ("tables/table4.py", ("\n\n\n", "\n\n\nEDITED = 1\n\n\n"), {"make_table4", *PAGES}),
        ("figures/style.py", ("\n\n\n", "\n\n\nEDITED = 1\n\n\n"), {*FIGURES, "write_summary", "all"}),
        ("summary/page.py", ("\n\n\n", "\n\n\nEDITED = 1\n\n\n"), {"write_summary", "all"}),
        (
            "significance/t_tests.py",
            ("\n\n\n", "\n\n\nEDITED = 1\n\n\n"),
            {
                *TESTS,
                *PROBES,
                "make_gap",
                "make_gap_by_frequency",
                "make_table1",
                "make_table4",
                "make_table5",
                "draw_diagnostics_vs_gap",
                "draw_figure2",
                "draw_gaps",
                "make_table6",
                "draw_remedies",
                "draw_gap_decomposition",
                "show_tests",
                "show_controls",
                *PAGES,
            },
        ),
    ],
    ids=["a table's layout", "a figure's style", "the summary", "a test of significance"],
)
def test_what_is_made_from_results_is_made_again_and_no_result(copy, name, edit, rules):
    assert planned_after(copy, {name: edit}).keys() == rules


@pytest.mark.parametrize(
    ("name", "edit", "jobs"),
    [
        (
            "autoencoders/fidelity.py",
            ("(0.01 *", "(0.02 *"),
            {"encode_dataset": 22, "diagnose_encoding": 22, "train_classifier": 145 - 8 - 2 - 2 - 2, "make_table2": 1},
        ),
        (
            "training/losses/ldam_drw.py",
            ("** -0.25", "** -0.5"),
            BY_LDAM | {"make_table1": 1, "measure_efficiency": 4},
        ),
        ("training/losses/ldam_drw.py", ("present, (1 - beta)", "present, (2 - beta)"), BY_LDAM),
        ("training/engine.py", ("% batch_size == 1", "% batch_size == 2"), TRAININGS),
        ("training/masking.py", (">= rate", "> rate"), {"search_recipe": 4}),
        ("training/augmentation.py", ("< 0.5", "< 0.4"), {}),
    ],
    ids=["SSIM", "LDAM's margin", "class weights", "the epoch loop", "masking", "augmentation, which the demo has not"],
)
def test_what_changes_a_result_runs_what_uses_it(copy, name, edit, jobs):
    found = planned_after(copy, {name: edit})
    assert {rule: found.get(rule, 0) for rule in jobs} == jobs
    assert bool(found) == bool(jobs)
    assert not {"prepare_dataset", "make_folds"} & found.keys()
