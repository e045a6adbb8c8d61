"""What results/README.md says about files and their columns, and which files of a results folder it leaves out."""

import json
import re
from collections.abc import Set
from pathlib import Path

import pandas as pd

from learnability.storage.contracts import read_json
from learnability.study.configuration import ROOT

PAGE = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
RUN = "runs/{dataset}/{space}/{autoencoder}/{recipe}/fold{fold}"
BESIDE = {"tables/": "csv|md|html|tex", "figures/": "svg|png", "significance/": "csv|html"}  # formats of each folder
# Not written by the study: weights as the hub gives them, Snakemake's benchmarks (whose keys are checked) and logs.
TREES = [r"weights/[^/]+/.+", r"logs/.+", r"benchmarks/[^/]+/[^/]+\.jsonl", r".+/\.finished/.+"]
# Keys that only some files have; the page says which.
WHERE = {"pretrained_digest", "transform", "decoder_blocks", "decoder_blocks_gflop", "decoder_gflop"}
OF_DECODER = {"digest_reconstructions", "digest_fidelity"}


def names_of(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def documented_files() -> list[str]:
    """Every path in the page's table of files."""
    table, found = PAGE.split("\n## Files\n")[1].split("\n## ")[0], []
    for line in table.splitlines():
        if line.startswith("| `"):
            first, *others = names_of(line.split(" | ")[0])
            found += [first, *(other if "/" in other else f"{first.rpartition('/')[0]}/{other}" for other in others)]
    return [path.replace("runs/…", RUN).removeprefix("/") for path in found]


def documented_columns() -> dict[str, list[str]]:
    """The columns or keys of every file that has a section of its own, in the order of the page."""
    found = {}
    for part in PAGE.split("\n### ")[1:]:
        head, _, body = part.partition("\n")
        rows = [line.split(" | ")[0] for line in re.split(r"\n#+ ", body)[0].splitlines() if line.startswith("| `")]
        for path in names_of(head):
            found[path] = [name for row in rows for name in names_of(row)]
    return found


def pattern(path: str) -> str:
    """A documented path as a regular expression; `{name}` stands for anything but a slash."""
    for folder, extensions in BESIDE.items():
        if path.startswith(folder):
            return rf"{re.escape(path.rpartition('.')[0])}\.({extensions})"
    return re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))


def columns_of(file: Path) -> list[str] | None:
    """The columns of a table or the keys of a JSON object; None for anything else."""
    if file.suffix == ".parquet":
        return list(pd.read_parquet(file))
    if file.suffix == ".csv":
        return list(pd.read_csv(file, nrows=1))
    if file.suffix == ".json":
        return list(read_json(file))
    return list(json.loads(file.read_text(encoding="utf-8").splitlines()[0])) if file.suffix == ".jsonl" else None


def undocumented(results: Path) -> list[str]:
    """Files of a results folder that the page does not name, and files whose columns differ from those it names."""
    known, columns = [*map(pattern, documented_files()), *TREES], documented_columns()
    found = []
    for file in sorted(path for path in results.rglob("*") if path.is_file()):
        path = str(file.relative_to(results))
        if not any(re.fullmatch(one, path) for one in known):
            found.append(f"{path}: not in results/README.md")
        said = next((names for one, names in columns.items() if re.fullmatch(pattern(one), path)), None)
        there = columns_of(file) if said or not re.fullmatch("|".join(TREES), path) else None
        if there is not None and not agree(there, said or [], WHERE | (OF_DECODER if has_no_decoder(file) else set())):
            found.append(f"{path}: columns {there}, in results/README.md {said}")
    return found


def has_no_decoder(file: Path) -> bool:
    return file.name == "autoencoder.json" and not json.loads(file.read_text(encoding="utf-8"))["decodes"]


def agree(there: list[str], said: list[str], may_lack: Set[str] = WHERE) -> bool:
    """Whether the columns that are there are the documented ones; `{class}` stands for any others."""
    if "{class}" in said:
        return set(said) - {"{class}"} <= set(there)
    return set(there) <= set(said) and set(said) - set(there) <= may_lack
