"""What an export contains, what it never contains, and that others can read it."""

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
import rocrate
import torch
import yaml
from rocrate_validator import services
from rocrate_validator.models import Severity
from rocrate_validator.utils.http import HttpRequester

from learnability import cli, load_classifier
from learnability.errors import InputError
from learnability.export import commands
from learnability.export.commands import export
from learnability.export.content import without_folder
from learnability.export.finished import RUN_FILES, missing_files
from learnability.export.model_card import described_input
from learnability.storage.contracts import (
    CURVE,
    FIDELITY,
    FOLDS,
    PREDICTIONS,
    SAMPLES,
    file_digest,
    read_json,
    write_json,
    write_parquet,
)
from learnability.study.configuration import ROOT
from learnability.study.sources import shown_source
from tests.trained import CLASSES, describe_run, image_run, write_run

IDS = [f"ISIC_{7000 + i}.jpg" for i in range(6)]
GROUPS = [f"Müller-{i}" for i in range(6)]
PIXELS = np.random.default_rng(0).bytes(60)
RUNS = {
    "image/original/image": image_run(),
    "latent/tiny/latent": describe_run(recipe="latent"),
    "reconstruction/tiny/image": image_run(space="reconstruction", autoencoder="tiny"),
}
SCORES = {"balanced_accuracy": 0.625, "auc": 0.75, "mcc": 0.375}


def write_data(folder: Path, synthetic: bool) -> None:
    """A data set of patients whose card names some of them, as the names of values and in a warning."""
    samples = pd.DataFrame({"sample_id": IDS, "label": [0, 1, 2] * 2, "label_name": CLASSES * 2, "group": GROUPS})
    for path in (folder / "datasets/clinic", folder / "folds"):
        path.mkdir(parents=True)
    write_parquet(samples[SAMPLES], folder / "datasets/clinic/samples.parquet")
    write_parquet(samples.assign(fold=range(6))[FOLDS], folder / "folds/clinic.parquet")
    (folder / "datasets/clinic/images.npy").write_bytes(PIXELS)
    (folder / "datasets/clinic/bad_images.txt").write_text(IDS[0])
    samples.assign(content="x").to_csv(folder / "datasets/clinic/duplicates.csv")
    card = {
        "dataset": "clinic", "synthetic": synthetic, "classes": CLASSES, "positive": None, "images": 6, "groups": 6,
        "grouped": True, "grouped_by": "patient", "counts": dict.fromkeys(CLASSES, 2), "imbalance_ratio": 1.0,
        "digest": "0" * 64, "names": {"missing_groups": {GROUPS[0]: 1}}, "warnings": [f"{IDS[1]} is blank"],
        "provenance": {str(folder / "labels.csv"): "0" * 64},
    }  # fmt: skip
    write_json(card, folder / "datasets/clinic/dataset.json")


def write_encoding(folder: Path) -> None:
    encoding = folder / "encodings/clinic/tiny"
    encoding.mkdir(parents=True)
    for name in ("latents.npy", "reconstructions.npy"):
        (encoding / name).write_bytes(PIXELS)
    write_parquet(pd.DataFrame({"sample_id": IDS, "psnr": 20.0, "ssim": 0.5})[FIDELITY], encoding / "fidelity.parquet")
    card = {"autoencoder": "tiny", "dataset": "clinic", "class": "AutoencoderKL", "licence": "Apache-2.0"}
    write_json(
        card | {"source": shown_source(f"{folder}/mueller_vae, fine-tuned"), "weights_digest": "1" * 64},
        encoding / "autoencoder.json",
    )


def write_trained(folder: Path, cell: str, description: dict) -> None:
    run = folder / "runs/clinic" / cell / "fold0"
    run.mkdir(parents=True)
    card = read_json(folder / "datasets/clinic/dataset.json")
    description = description | {key: card[key] for key in ("dataset", "synthetic")}
    write_run(run, description)
    write_json(description | {"digest_weights": file_digest(run / "model.safetensors")}, run / "model.json")
    counts = {"n_train": 18, "n_validation": 6, "n_test": 6, "epochs": 3, "best_epoch": 2}
    write_json({"fold": 0, **SCORES, **counts}, run / "metrics.json")
    rows = pd.DataFrame({"sample_id": IDS, "label": 0, "split": "test", **dict.fromkeys(CLASSES, 1 / 3)})
    write_parquet(rows[[*PREDICTIONS, *CLASSES]], run / "predictions.parquet")
    write_parquet(pd.DataFrame([dict.fromkeys(CURVE, 0)]), run / "noise_curve.parquet")
    (run / "history.csv").write_text("epoch\n1\n")
    (run / "teacher_logits.npy").write_bytes(PIXELS)


def write_made_study(folder: Path, synthetic: bool = False) -> Path:
    """A finished study of one data set, with a file of every kind that holds a patient or a folder of the machine."""
    write_data(folder, synthetic)
    write_encoding(folder)
    for cell, description in RUNS.items():
        write_trained(folder, cell, description)
    lists = {"datasets": ["clinic"], "autoencoders": ["tiny"], "folds": [0], "recipes": {"table1": ["image", "latent"]}}
    scope = {"datasets": ["clinic"], "autoencoders": ["tiny"]}
    lists |= {"scopes": {"table1": scope}, "spaces": ["image", "latent"], "efficiency": None, "tables": ["table1"]}
    write_json(lists, folder / "study.json")
    for name in ("tables", "figures", "diagnostics/clinic", "logs/train", "searches/clinic/tiny/tuned/fold0"):
        (folder / name).mkdir(parents=True)
    rows = [["clinic", *cell.split("/")] for cell in RUNS]
    table = pd.DataFrame(rows, columns=["dataset", "space", "autoencoder", "recipe"])
    table.to_csv(folder / "tables/table1.csv", index=False)
    (folder / "figures/figure3.png").write_bytes(PIXELS)
    (folder / "figures/figure3.svg").write_text(base64.b64encode(PIXELS).decode())
    (folder / "figures/gaps.svg").write_text("<svg/>")
    (folder / "diagnostics/clinic/tiny_spectrum.csv").write_text("frequency,power\n0.5,1.0\n")
    (folder / "summary.html").write_bytes(b'<img src="data:image/png;base64,' + base64.b64encode(PIXELS) + b'">')
    for name in ("logs/train/clinic.log", "searches/clinic/tiny/tuned/fold0/journal.log"):
        (folder / name).write_text(f"{folder} {IDS[2]}")
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_made_study(tmp_path_factory.mktemp("patients") / "made")


@pytest.fixture(scope="module")
def exported(study) -> Path:
    cli.main(["export", str(study), str(study.parent / "export")])
    return study.parent / "export"


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(folder: Path, *secrets: bytes) -> list[tuple[str, bytes]]:
    """The files of a folder that hold one of the secrets, in their bytes, their name, or the columns of a table."""
    found = []
    for name, content in files_below(folder).items():
        if name.endswith(".parquet"):  # its pages may be compressed
            content += pd.read_parquet(io.BytesIO(content)).to_csv().encode()
        found += [(name, secret) for secret in secrets if secret in content or secret in name.encode()]
    return found


def test_no_sample_image_or_folder_leaves(study, exported):
    ids = [name.encode() for name in (*IDS, *GROUPS)]
    ids += [json.dumps(name).strip('"').encode() for name in GROUPS]  # as JSON may escape them
    images = [PIXELS, base64.b64encode(PIXELS)]
    machine = [str(study.parent).encode(), f"{ROOT}".encode(), f"{Path.home()}/".encode(), b"mueller"]
    assert {secret for _, secret in told(study, *ids)} >= {name.encode() for name in (*IDS, *GROUPS)}
    assert len(told(study, *images)) > 8
    assert len(told(study, machine[0], b"mueller")) > 3
    assert told(exported, *ids, *images, *machine) == []
    left = {Path(name).name for name in files_below(study)} - {Path(name).name for name in files_below(exported)}
    assert left == {
        "samples.parquet", "clinic.parquet", "images.npy", "bad_images.txt", "duplicates.csv", "latents.npy",
        "reconstructions.npy", "fidelity.parquet", "predictions.parquet", "teacher_logits.npy", "figure3.png",
        "figure3.svg", "summary.html", "clinic.log", "journal.log",
    }  # fmt: skip


@pytest.fixture
def offline(monkeypatch):
    """The validator asks the network for the terms of RO-Crate 1.1; here it gets those of 1.3, which rocrate brings,
    with the terms of Bioschemas as 1.1 has them.
    """
    terms = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_bytes()
    terms = terms.replace(b"https://bioschemas.org/terms/", b"https://bioschemas.org/")

    def get(self, url, **options):
        assert url == "https://w3id.org/ro/crate/1.1/context"
        answer = requests.Response()
        answer.status_code, answer._content = 200, terms
        answer.headers["Content-Type"] = "application/ld+json"
        return answer

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)


def issues_of(folder: Path) -> list[str]:
    """What the official validator has against a folder as a Workflow Run Crate."""
    settings = services.ValidationSettings(
        rocrate_uri=str(folder), profile_identifier="workflow-run-crate", requirement_severity=Severity.REQUIRED,
        offline=True, cache_path=folder.parent / "cache",
    )  # fmt: skip
    return [f"{issue.check.identifier}: {issue.message}" for issue in services.validate(settings).get_issues()]


def test_the_official_validator_takes_it_and_would_not_take_another(exported, tmp_path, offline):
    assert issues_of(exported) == []
    metadata = Path(shutil.copytree(exported, tmp_path / "changed")) / "ro-crate-metadata.json"
    content = json.loads(metadata.read_text())
    run = next(entity for entity in content["@graph"] if entity["@type"] == "CreateAction")
    del run["instrument"]
    metadata.write_text(json.dumps(content))
    assert any("instrument" in issue for issue in issues_of(metadata.parent))


def test_the_crate_has_every_file_with_its_hash_and_every_licence_as_stated(exported):
    graph = json.loads((exported / "ro-crate-metadata.json").read_text())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    names = {name for name in files_below(exported) if name != "ro-crate-metadata.json"}
    assert {name for name in names if name not in entities} == set()
    assert {name: entities[name]["sha256"] for name in names} == {name: file_digest(exported / name) for name in names}
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert entities["./"]["license"]["@id"].endswith(f"/{cited['license']}")
    assert entities[entities["./"]["author"]["@id"]]["name"] == cited["authors"][0]["name"]  # there is one
    stated = [entities["#data-clinic"], entities["runs/clinic/latent/tiny/latent/fold0/"]]
    assert {entities[entity["license"]["@id"]]["name"] for entity in stated} == {"unknown"}


@pytest.mark.parametrize("cell", RUNS)
def test_every_classifier_loads_and_its_card_says_what_it_is(study, exported, cell):
    run = Path("runs/clinic") / cell / "fold0"
    ours, theirs = load_classifier(study / run), load_classifier(exported / run)
    x = torch.rand(2, RUNS[cell]["in_channels"], *RUNS[cell]["grid"])
    assert torch.equal(ours(x), theirs(x))
    _, front, text = (exported / run / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["license"] == "unknown"
    metrics = front["model-index"][0]["results"][0]["metrics"]
    assert [metric["value"] for metric in metrics] == [*SCORES.values()]
    assert "| balanced accuracy | 0.625 | 0.333 | 0.625 |" in text
    assert "fold (n = 6)" in text
    assert "Licence: unknown." in text
    assert ("Licence: Apache-2.0." in text) == ("tiny" in cell)
    assert "raw latents of `tiny`" in text or cell.split("/")[0] != "latent"


def test_the_same_results_give_the_same_bytes(study, exported, tmp_path):
    export(study, tmp_path / "again")
    assert files_below(tmp_path / "again") == files_below(exported)


def test_a_card_says_of_weights_in_a_folder_that_they_are(exported):
    card = read_json(exported / "encodings/clinic/tiny/autoencoder.json")
    assert card["source"] == "a folder, fine-tuned"
    for source in ("/data/mueller_vae", shown_source("/data/mueller_vae")):
        assert without_folder({"source": source}) == {"source": "a folder"}
    assert without_folder({"source": "owner/vae"}) == {"source": "owner/vae"}
    assert "provenance" not in read_json(exported / "datasets/clinic/dataset.json")


def test_phantoms_are_called_synthetic_and_may_be_shown(tmp_path):
    export(write_made_study(tmp_path / "made", synthetic=True), tmp_path / "out")
    names = files_below(tmp_path / "out")
    assert {"summary.html", "figures/figure3.svg", "figures/figure3.png"} <= {*names}
    run = "runs/clinic/latent/tiny/latent/fold0/README.md"
    for name in ("README.md", run, "ro-crate-metadata.json"):
        assert b"Phantom data: synthetic images, not patients." in names[name], name
    assert b"synthetic-data" in names[run]


def test_a_place_that_is_taken_or_within_the_results_is_refused(study, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="exists and is not an empty folder; nothing is overwritten"):
        export(study, tmp_path)
    with pytest.raises(InputError, match="exists and is not an empty folder"):
        export(study, tmp_path / "file")
    with pytest.raises(InputError, match="lies in the results that are exported"):
        export(study, study / "export")
    assert (tmp_path / "file").read_text() == "mine"


def test_another_study_within_the_results_stays(study, exported, tmp_path):
    made = Path(shutil.copytree(study, tmp_path / "made"))
    shutil.copytree(study, made / "clinic")
    (made / "clinic/encodings/clinic/tiny/autoencoder.json").write_text("")
    export(made, tmp_path / "export")
    assert {*files_below(tmp_path / "export")} == {*files_below(exported)}


@pytest.mark.parametrize(
    "changes",
    [
        {"recipes": {"table1": ["image", "latent"], "gap_decomposition": ["matched"]}},
        {"autoencoders": ["tiny", "other"]},  # the other is not in Table 1's scope
        {"spaces": ["image"], "scopes": {"table1": {"datasets": ["clinic"], "autoencoders": ["another"]}}},
    ],
)
def test_a_table_without_rows_is_not_missing(study, changes):
    lists = read_json(study / "study.json") | changes
    assert [*missing_files(study, lists)] == []
    if "gap_decomposition" in lists["recipes"]:
        lists |= {"tables": [*lists["recipes"]]}
        assert [*missing_files(study, lists)] == ["significance/gap_decomposition.csv"]


def test_probes_curves_and_diagnostics_that_are_asked_for_are_missing(study):
    recipes = {"probes": ["probe_linear"], "learning_curve": ["matched_cross_entropy"]}
    tables = {"tables": [*recipes, "table5", "information"]}
    lists = read_json(study / "study.json") | {"recipes": recipes} | tables
    expected = ["tables/probes.csv", "tables/information.csv", "tables/learning_curve.csv", "tables/table5.csv"]
    assert [*missing_files(study, lists)][:4] == expected


def test_the_runs_of_a_learning_curve_are_missing_where_its_table_names_them(study, tmp_path):
    made = Path(shutil.copytree(study, tmp_path / "made"))
    rows = [["clinic", "tiny", "latent", "share_10"], ["clinic", "tiny", "latent", "n/a"]]
    table = pd.DataFrame(rows, columns=["dataset", "autoencoder", "space", "recipe"])
    table.to_csv(made / "tables/learning_curve.csv", index=False)
    missing = [*missing_files(made, read_json(made / "study.json"))]
    assert missing == [f"runs/clinic/latent/tiny/share_10/fold0/{name}" for name in RUN_FILES]


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ({"kind": "whiten"}, "applies a fixed map, `whiten`. It gives"),
        ({"kind": "low_pass", "cutoff": 0.5}, "a fixed map, `low_pass` (cutoff 0.5). It gives"),
    ],
)
def test_a_model_card_says_what_stands_before_the_network(transform, said):
    model = {"space": "latent", "autoencoder": "tiny", "in_channels": 4, "grid": [8, 8], "classes": ["a", "b"]}
    data = {"counts": {"a": 3, "b": 2}}
    assert said in described_input(model | {"transform": transform}, data)
    assert "fixed map" not in described_input(model, data)


def test_a_full_disk_is_said_in_one_line(study, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(commands, "write_crate", full)
    with pytest.raises(InputError, match="could not be written: No space left on device; the disk is full"):
        export(study, tmp_path / "out")


def test_a_study_that_is_not_finished_says_what_is_missing(study, tmp_path):
    made = Path(shutil.copytree(study, tmp_path / "made"))
    run = "runs/clinic/latent/tiny/latent/fold0"
    (made / run / "model.safetensors").unlink()
    (made / "summary.html").unlink()
    lists, scope = read_json(made / "study.json"), {"datasets": ["clinic"], "autoencoders": ["tiny", "other"]}
    write_json(lists | {"scopes": {"table1": scope}, "folds": [0, 1]}, made / "study.json")
    with pytest.raises(InputError, match="the study is not finished") as raised:
        export(made, tmp_path / "out")
    lines = [line.strip() for line in str(raised.value).splitlines()[1:]]
    assert {f"{run}/model.safetensors", "summary.html", "tables/table1.csv: autoencoder other"} <= {*lines}
    assert f"{run.replace('fold0', 'fold1')}/metrics.json" in lines
    with pytest.raises(InputError, match=r"study.json does not exist; give the results folder of a study"):
        export(tmp_path, tmp_path.parent / "out")


def test_nothing_half_written_stays(study, tmp_path, monkeypatch):
    made = Path(shutil.copytree(study, tmp_path / "made"))
    (made / "tables/table1.md").write_text(f"from {made}/tables")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=r"tables/table1.md of the export would name .*, a folder of this machine"):
        export(made, tmp_path / "there/out")
    weights = made / "runs/clinic/latent/tiny/latent/fold0/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"model.safetensors: damaged"):
        export(made, tmp_path / "there/out")

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "write_crate", stop)
    with pytest.raises(KeyboardInterrupt):
        export(study, tmp_path / "there/out")
    assert [*(tmp_path / "there").iterdir()] == []
