"""The metadata of an export: ro-crate-metadata.json in the profile Workflow Run Crate 0.5.

https://www.researchobject.org/workflow-run-crate/profiles/0.5/workflow_run_crate/. One action stands for the run of the
whole study; the cards say what each job read.
"""

import mimetypes
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import yaml

from ..storage.contracts import file_digest, read_json
from ..study.configuration import ROOT
from ..study.words import counted
from ..tables.labels import PHANTOM_NOTICE
from .model_card import UNKNOWN, licence_of, title

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}  # not in the context of RO-Crate 1.1
TYPES = {
    ".safetensors": "application/octet-stream", ".parquet": "application/vnd.apache.parquet", ".md": "text/markdown",
    ".yaml": "application/yaml", ".cff": "application/yaml", ".rst": "text/x-rst", ".csv": "text/csv",
    ".tex": "application/x-tex", ".py": "text/x-python", ".json": "application/json", ".svg": "image/svg+xml",
}  # fmt: skip
WORKFLOW = "code/Snakefile"
NO_LICENCE = "#licence-unknown"
MADE = (
    "tables/", "significance/", "figures/", "efficiency/", "diagnostics/", "across_spaces/", "summary.html",
    "controls.rst",
)  # fmt: skip
DESCRIPTION = (
    "Tables, tests, figures, cards and trained classifiers of a study of the learnability gap. Images, "
    "reconstructions, latents and everything with a row for each image are not in it."
)


def write_crate(folder: Path, name: str, when: datetime, files: Sequence[str]) -> None:
    """Describe all `files` of a folder; `when` is the time of the newest result, `name` the name of the study."""
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    describe_root(crate, name, when, cited)
    for file in files:
        add_file(crate, folder, file, cited)
    data = [file for file in files if file.startswith("datasets/")]
    cards = [read_json(folder / file) for file in data]
    for file, card in zip(data, cards, strict=True):
        crate.get(file)["about"] = describe_data(crate, card)
    if synthetic := [card["dataset"] for card in cards if card["synthetic"]]:
        crate.root_dataset["description"] += f" {PHANTOM_NOTICE} Synthetic are {', '.join(synthetic)}."
    models = [add_classifier(crate, folder, file, files) for file in files if file.endswith("/model.json")]
    made = [{"@id": file} for file in files if file.startswith(MADE)]
    describe_run(crate, when, read=[{"@id": file} for file in ("study.json", *data)], made=made + models)
    crate.metadata.write(folder)


def describe(crate, identity: str, kind: str, **properties) -> dict[str, str]:
    """Add an entity that is not a file; returns a reference to it."""
    from rocrate.model import ContextEntity

    return {"@id": crate.add(ContextEntity(crate, identity, {"@type": kind, **properties})).id}


def describe_root(crate, name: str, when: datetime, cited: dict) -> None:
    root = crate.root_dataset
    root["name"], root["description"] = f"Results of the study {name}", DESCRIPTION
    root["datePublished"] = when.date().isoformat()
    root["license"] = describe(
        crate, f"https://spdx.org/licenses/{cited['license']}", "CreativeWork", name=cited["license"],
        description="Of the workflow, as its CITATION.cff says. Data, autoencoders and classifiers have licences of "
        "their own.",
    )  # fmt: skip
    authors = [describe_author(crate, number, entry) for number, entry in enumerate(cited["authors"])]
    root["author"] = authors if len(authors) > 1 else authors[0]  # RO-Crate wants a single author without a list
    root["conformsTo"] = [
        describe(crate, uri, "CreativeWork", name=label, version=version) for uri, (label, version) in PROFILES.items()
    ]
    describe(crate, NO_LICENCE, "CreativeWork", name=UNKNOWN, description="No card states a licence.")


def describe_author(crate, number: int, entry: dict) -> dict[str, str]:
    """Add an author of CITATION.cff: a person if there is a family name, else an organisation."""
    identity = entry.get("orcid", f"#author-{number}")
    if "family-names" not in entry:
        return describe(crate, identity, "Organization", name=entry["name"])
    names = [entry[key] for key in ("given-names", "family-names") if key in entry]
    return describe(crate, identity, "Person", name=" ".join(names))


def add_file(crate, folder: Path, file: str, cited: dict) -> None:
    path = folder / file
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    content = {"contentSize": str(path.stat().st_size), "encodingFormat": kind, "sha256": file_digest(path)}
    if file == WORKFLOW:
        content |= {"name": cited["title"], "version": cited["version"], "license": crate.root_dataset["license"]}
        crate.add_workflow(path, file, main=True, lang="snakemake", properties=content)
    else:
        about = {"about": {"@id": "./"}} if file == "README.md" else {}
        crate.add_file(path, file, properties=content | about | {"name": file})


def describe_data(crate, card: dict) -> dict[str, str]:
    """Describe the data set behind a card; the data are not in the export."""
    licence = licence_of(card)
    return describe(
        crate, f"#data-{card['dataset']}", "CreativeWork",
        name=card["dataset"] + " (phantoms, synthetic images)" * card["synthetic"],
        description=f"{counted(card['images'], 'image')} in {counted(card['groups'], 'group')}, "
        f"{counted(len(card['classes']), 'class')}.",
        license={"@id": NO_LICENCE} if licence == UNKNOWN else licence,
    )  # fmt: skip


def add_classifier(crate, folder: Path, file: str, files: Sequence[str]) -> dict[str, str]:
    """Add the folder of a classifier with its files; nobody has stated a licence for its weights."""
    name = file.removesuffix("model.json")
    parts = [{"@id": part} for part in files if part.startswith(name)]
    content = {"name": title(read_json(folder / file)), "license": {"@id": NO_LICENCE}, "hasPart": parts}
    return {"@id": crate.add_dataset(folder / name, name, properties=content).id}


def describe_run(crate, when: datetime, read: list[dict], made: list[dict]) -> None:
    """Describe the run of the study, from its lists and data to tables and classifiers."""
    crate.root_dataset["mentions"] = describe(
        crate, "#run", "CreateAction", name="The run of the study",
        description="All jobs of the workflow, from the packed images to the tables.", endTime=when.isoformat(),
        instrument={"@id": WORKFLOW}, object=read, result=made,
    )  # fmt: skip
