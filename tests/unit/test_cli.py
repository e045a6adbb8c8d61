"""The commands that a person types: `show` prints Table 1, and how the others read their arguments."""

import subprocess
import sys

import pandas as pd
import pytest

from learnability import cli
from learnability.significance.diagnostics_vs_gap import diagnostics_vs_gap
from learnability.storage.contracts import write_csv, write_json
from learnability.study.configuration import ROOT
from learnability.summary.controls import NOT_RUN
from tests.described import described, gaps


def write_results(folder, **datasets):
    """A results folder with Table 1 of two autoencoders; `datasets` says which are synthetic."""
    rows = []
    for number, name in enumerate(datasets):
        cells = [("original", "image")] + [(a, s) for a in ("sd14", "flux2") for s in ("latent", "reconstruction")]
        for place, (autoencoder, space) in enumerate(cells):
            cell = {"dataset": name, "autoencoder": autoencoder, "role": "family", "space": space, "recipe": "image"}
            mean = 0.5 + 0.1 * number + 0.01 * place
            rows += [cell | {"metric": "balanced_accuracy", "mean": mean, "sd": 0.1, "n_folds": 4}]
            rows += [cell | {"metric": "auc", "mean": 0.999, "sd": 0.1, "n_folds": 4}]
    write_csv(pd.DataFrame(rows), folder / "tables/table1.csv")
    for name, synthetic in datasets.items():
        write_json({"synthetic": synthetic}, folder / "datasets" / name / "dataset.json")
    return folder


def test_the_table_of_one_fold_is_no_mean(tmp_path, capsys):
    path = write_results(tmp_path, isic2019=False) / "tables/table1.csv"
    write_csv(pd.read_csv(path).assign(n_folds=1), path)
    cli.main(["show", str(tmp_path)])
    assert "Table 1, balanced accuracy, one fold" in " ".join(capsys.readouterr().out.split())


def test_show_prints_balanced_accuracy_of_every_cell(tmp_path, capsys):
    cli.main(["show", str(write_results(tmp_path, isic2019=False, cardium=False))])
    printed = capsys.readouterr().out
    lines = [[cell.strip() for cell in line.strip("│┃ \n").split("│")] for line in printed.splitlines() if "│" in line]
    assert lines == [
        ["original", "image", "0.500", "0.600"],
        ["sd14", "LS", "0.510", "0.610"],
        ["sd14", "RS", "0.520", "0.620"],
        ["flux2", "LS", "0.530", "0.630"],
        ["flux2", "RS", "0.540", "0.640"],
    ]
    assert "mean over 4 folds" in " ".join(printed.split())
    assert " ".join(printed.split()).startswith(NOT_RUN)
    assert "0.999" not in printed
    assert "hantom" not in printed


def test_a_synthetic_dataset_is_called_a_phantom(tmp_path, capsys):
    cli.main(["show", str(write_results(tmp_path, shapes=True, isic2019=False))])
    printed = capsys.readouterr().out
    assert "shapes (phantom)" in printed
    assert "isic2019 (phantom)" not in printed
    assert "Phantom data: synthetic images, not patients." in " ".join(printed.split())


def test_on_a_narrow_terminal_no_name_is_cut_and_no_path_is_broken(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    cli.main(
        ["show", str(write_results(tmp_path, **dict.fromkeys(["ct_shapes", "skin_shapes", "chest_shapes"], True)))]
    )
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert f"logs: {tmp_path}/logs\n" in printed


def test_a_cell_that_table1_does_not_have_is_a_dash(tmp_path, capsys):
    write_results(tmp_path, isic2019=False, cardium=False)
    table = pd.read_csv(tmp_path / "tables/table1.csv")
    write_csv(
        table[(table["dataset"] != "cardium") | (table["autoencoder"] != "flux2")], tmp_path / "tables/table1.csv"
    )
    cli.main(["show", str(tmp_path)])
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "flux2" in line and "RS" in line]
    assert row.count("–") == 1


def test_a_folder_without_a_table_ends_with_a_message(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["show", str(tmp_path / "nowhere")])
    # A text given to SystemExit is printed, and the exit code is 1.
    assert str(caught.value).startswith(
        f"Error: {tmp_path}/nowhere/tables/table1.csv does not exist yet; run the study"
    )


def test_without_a_command_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2
    assert "show" in capsys.readouterr().err


def test_the_command_line_starts_without_torch():
    code = "import sys, learnability.cli, learnability.generation.filtering; print('torch' in sys.modules)"
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("score z.npy --out s.parquet", "the following arguments are required: --classifier"),
        ("score --classifier run --out s.parquet", "the following arguments are required: FILE"),
        ("filter --scores s.parquet --out k.csv --best 2", "one of the arguments --intended --class is required"),
        ("filter --scores s.parquet --out k.csv --class a", "one of the arguments --threshold --best is required"),
        ("filter --scores s --out k --class a --best 2 --threshold 0.5", "not allowed with argument"),
    ],
)
def test_a_command_that_is_not_whole_says_what_is_missing(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments.split())
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("check --images -3", "Error: --images -3: expected at least 0"),
        ("plan --gpus 0", "Error: --gpus 0: expected at least 1"),
        ("plan --rates nowhere", "Error: --rates nowhere: no such folder"),
        ("score z.npy --classifier run --out scores.csv", "Error: --out scores.csv: scores are a Parquet file"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_before_anything_runs(arguments, message):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments.split())
    assert str(caught.value).startswith(message)


def test_the_help_of_a_command_says_what_it_does(capsys):
    with pytest.raises(SystemExit):
        cli.main(["adopt", "--help"])
    assert "take over the results of a version that computes the same" in capsys.readouterr().out


def test_a_bad_input_of_score_ends_with_its_message(tmp_path):
    with pytest.raises(SystemExit) as caught:
        cli.main(["score", "z.npy", "--classifier", str(tmp_path), "--out", str(tmp_path / "scores.parquet")])
    assert str(caught.value).startswith(
        f"Error: {tmp_path}/model.json does not exist; expected the folder of a trained"
    )


def test_show_prints_the_labels_of_the_study(tmp_path, capsys):
    write_results(tmp_path, isic2019=False)
    labels = {"datasets": {"isic2019": "ISIC-2019"}, "autoencoders": {"sd14": "SD 1.4 [x]", "flux2": "Flux.2"}}
    write_json({"labels": labels, "n_splits": 5}, tmp_path / "study.json")
    cli.main(["show", str(tmp_path)])
    printed = capsys.readouterr().out
    assert all(label in printed for label in ("ISIC-2019", "SD 1.4 [x]", "Flux.2"))
    assert "sd14" not in printed


def test_show_says_what_goes_with_the_gap_where_the_study_has_diagnostics(tmp_path, capsys):
    write_results(tmp_path, isic2019=False)
    cli.main(["show", str(tmp_path)])
    assert "latents are like" not in capsys.readouterr().out
    tests = diagnostics_vs_gap(described(["isic2019"], ["sd14"]), {"gap": gaps(["isic2019"], ["sd14"])})
    write_csv(tests, tmp_path / "significance/diagnostics_vs_gap.csv")
    cli.main(["show", str(tmp_path)])
    assert "Whether anything that latents are like goes with the gap cannot be told" in capsys.readouterr().out
