"""The results of a study as files that are small enough for git, in parts that add up, and the way back.

    python -m docs.measurements.parts pack RESULTS docs/measurements/data/STUDY/PART
    python -m docs.measurements.parts unpack docs/measurements/data/STUDY RESULTS
    python -m docs.measurements.parts rebuild STUDY [TARGET ...]

`unpack` writes a results folder without images, latents and networks. `rebuild` writes results/STUDY_rebuilt, in place
of an earlier one, and has Snakemake make targets from it. docs/measurements/data/README.md describes the files.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from learnability.errors import InputError
from learnability.export.commands import folder_written_whole, refuse_folders_of_machine, refuse_place, write_files
from learnability.significance.predictions import Images, read_images
from learnability.storage.contracts import CELL, read_folds, read_json, read_samples, write_text
from learnability.storage.vouched import files_matching
from learnability.study.configuration import ROOT
from learnability.study.paths import run_file
from learnability.study.study_file import read_study
from learnability.workflow.job_work import COSTLY_RULES

from .rows import kept_rows, restore_fidelity, restore_runs, write_fidelity, write_runs

PLAIN = (
    "datasets/*/dataset.json", "datasets/*/samples.parquet", "folds/*.parquet", "encodings/*/*/autoencoder.json",
    "diagnostics/*/*.csv", "searches/*/*/*/*/best.json", "across_spaces/*/*/*/*.csv", "efficiency/*/*/*.csv",
    "runs/*/*/*/*/*/history.csv", "runs/*/*/*/*/*/noise_curve.parquet", "benchmarks/*/*.jsonl",
)  # fmt: skip
METRICS, FILES = "metrics.jsonl", "files.tar.xz"
RUNS_OF, FIDELITY_OF = "predictions.{}.parquet", "fidelity.{}.parquet"
WITH_VALIDATION = ("probes", "learning_curve")  # their bits are at a temperature that validation rows decide
NEED_MORE = {*COSTLY_RULES, "make_folds", "fetch_weights", "draw_figure3"}  # they read images, latents or networks
DATA = Path("docs/measurements/data")
ROUNDED = ("digest_", "card_digest", "posterior_variance")  # of the card of an encoding


def pack(results: Path, part: Path) -> int:
    """Write what the other parts beside this one lack; return the number of bytes.

    InputError where a file differs from that of another part, or names a folder of this machine.
    """
    refuse_place(results, part)
    files, rows = new_files(results, part.parent), new_rows(results, part.parent)
    if not files and not rows:
        raise InputError(f"{results}: the parts in {part.parent} have all of it; there is nothing to pack")
    with tempfile.TemporaryDirectory() as plain:
        write_files({name: results / name for name in files}, Path(plain))
        refuse_folders_of_machine(Path(plain), [results.absolute(), results.resolve(), ROOT, Path.home()])
    with folder_written_whole(part) as folder:
        lines = [json.dumps(run, ensure_ascii=False) + "\n" for run, splits in rows if "test" in splits]
        write_text("".join(lines), folder / METRICS)
        write_archive(files, results, folder / FILES)
        write_rows(files, rows, results, folder)
    return sum(path.stat().st_size for path in part.iterdir())


def new_files(results: Path, study: Path) -> list[str]:
    """The small files that no part has; of a benchmark, which a job run again has anew, the first is kept.

    So is the card of an encoding that was made again, for a later part, on another machine.
    """
    known = {name: content for part in parts_of(study) for name, content in members(part / FILES)}
    names = [path.relative_to(results).as_posix() for pattern in PLAIN for path in files_matching(results, pattern)]
    for name in names:
        if name in known and differ(name, known[name], (results / name).read_bytes()):
            raise InputError(f"{results / name}: differs from that of a part in {study}; pack results of one study")
    return [name for name in names if name not in known]


def differ(name: str, first: bytes, second: bytes) -> bool:
    """Whether a file is another than in an earlier part, and not only by what another machine rounds differently."""
    if name.startswith("benchmarks/"):
        return False
    if name.startswith("encodings/"):
        return of_any_machine(first) != of_any_machine(second)
    return first != second


def of_any_machine(card: bytes) -> dict:
    """What the card of an encoding says of its weights, data and layout, without what all bits of it decide."""
    said = json.loads(card)
    return {key: said[key] for key in said if not key.startswith(ROUNDED)}


def new_rows(results: Path, study: Path) -> list[tuple[dict, list[str]]]:
    """The metrics of runs, each with its splits whose rows are in no part; `validation` where a table needs it."""
    recipes = read_study(results)["recipes"]
    both = {recipe for table in WITH_VALIDATION for recipe in recipes.get(table, [])}
    known = {identity(run): run for part in parts_of(study) for run in runs_in(part)}
    packed = {rows for part in parts_of(study) for rows in rows_in(part)}
    found = []
    for run in [read_json(path) for path in files_matching(results, "runs/*/*/*/*/*/metrics.json")]:
        if known.get(identity(run), run) != run:
            raise InputError(
                f"{results / run_file(run, '')}: differs from that of a part in {study}; it was trained anew"
            )
        needed = ["test", "validation"] if run["recipe"] in both else ["test"]
        if lacking := [split for split in needed if (*identity(run), split) not in packed]:
            found.append((run, lacking))
    return found


def write_rows(files: list[str], rows: list[tuple[dict, list[str]]], results: Path, folder: Path) -> None:
    """What has a row for each image, by dataset."""
    for path in files_matching(results, "datasets/*/dataset.json"):
        dataset, (images, card) = path.parent.name, images_of(results, path.parent.name)
        own = [(run, splits) for run, splits in rows if run["dataset"] == dataset]
        write_runs(own, images, card, results, folder / RUNS_OF.format(dataset))
        encoded = [results / name for name in files if Path(name).match(f"encodings/{dataset}/*/autoencoder.json")]
        write_fidelity(encoded, images, folder / FIDELITY_OF.format(dataset))


def unpack(study: Path, results: Path) -> None:
    """Write the results folder that the parts of a study make up; InputError where rows do not give their scores."""
    if results.exists() and any(results.iterdir()):
        raise InputError(f"{results}: exists and is not an empty folder; nothing is overwritten, give a new one")
    if not (parts := parts_of(study)):
        raise InputError(f"{study}: has no part with {METRICS}; expected folders that `pack` wrote")
    with folder_written_whole(results) as folder:
        for part in parts:
            write_files(dict(members(part / FILES)), folder)
        for dataset in [path.parent.name for path in files_matching(folder, "datasets/*/dataset.json")]:
            images, card = images_of(folder, dataset)
            for part in parts:
                restore_fidelity(part / FIDELITY_OF.format(dataset), images, folder / "encodings" / dataset)
            runs = [run for part in parts for run in runs_in(part) if run["dataset"] == dataset]
            restore_runs(runs, study.glob(f"*/{RUNS_OF.format(dataset)}"), images, card, folder)


def rebuild(name: str, targets: list[str]) -> int:
    """Have Snakemake make targets of a committed study in results/NAME_rebuilt, anew; return its exit code."""
    results = Path(f"results/{name}_rebuilt")
    shutil.rmtree(results, ignore_errors=True)
    unpack(ROOT / DATA / name, results)
    return make(configfiles(name), results, targets)


def configfiles(name: str) -> list[str]:
    """The files that make up the configuration of a committed study: those that it lists, or its own among studies."""
    listed = ROOT / DATA / name / "configfiles.txt"
    return listed.read_text(encoding="utf-8").split() if listed.exists() else [f"workflow/studies/{name}.yaml"]


def make(studies: list[str], results: Path, targets: list[str]) -> int:
    """Make targets, of which one with a slash lies in the results, without any rule that trains or encodes."""
    command = [sys.executable, "-m", "snakemake", "--configfile", *studies, "--config", f"results={results}"]
    listed = subprocess.run([*command, "--list-rules"], capture_output=True, text=True, check=True).stdout.split()
    allowed = [rule for rule in listed if rule not in NEED_MORE]
    asked = [str(results / target) if "/" in target else target for target in targets]
    return subprocess.run([*command, "--cores", "1", "--allowed-rules", *allowed, "--", *asked], check=False).returncode


# ---- What a part has ----


def parts_of(study: Path) -> list[Path]:
    return sorted(path.parent for path in study.glob(f"*/{METRICS}"))


def runs_in(part: Path) -> list[dict]:
    return [json.loads(line) for line in (part / METRICS).read_text(encoding="utf-8").splitlines()]


def rows_in(part: Path) -> Iterator[tuple]:
    """The splits of runs whose rows a part has: the identity of the run, then the split."""
    for path in part.glob(RUNS_OF.format("*")):
        dataset = path.name.removeprefix("predictions.").removesuffix(".parquet")
        yield from ((dataset, *rows) for rows in kept_rows(path))


def identity(run: dict) -> tuple:
    return tuple(run[key] for key in CELL)


def images_of(results: Path, dataset: str) -> tuple[Images, dict]:
    """The images of a dataset, and its card; every fold has images, so their number is known."""
    samples, folds = results / f"datasets/{dataset}/samples.parquet", results / f"folds/{dataset}.parquet"
    n_splits = int(read_folds(folds, read_samples(samples)).max()) + 1
    return read_images(samples, folds, n_splits), read_json(samples.with_name("dataset.json"))


def write_archive(files: list[str], results: Path, path: Path) -> None:
    """Files of a results folder, the same bytes for the same files."""
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for name in files:
            content = (results / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive; InputError for one that would lie outside of the folder that it is for."""
    with tarfile.open(archive) as file:
        for entry in file:
            if Path(entry.name).is_absolute() or ".." in Path(entry.name).parts or not entry.isfile():
                raise InputError(
                    f"{archive}: {entry.name} is no file below a results folder; take it from the repository"
                )
            yield entry.name, file.extractfile(entry).read()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["pack", "unpack", "rebuild"])
    parser.add_argument("first", metavar="RESULTS|FOLDER|STUDY")
    parser.add_argument("more", nargs="*", metavar="PART|RESULTS|TARGET")
    chosen = parser.parse_args()
    if chosen.command == "rebuild":
        return rebuild(chosen.first, chosen.more)
    if len(chosen.more) != 1:
        parser.error(f"{chosen.command} takes two folders")
    first, second = Path(chosen.first), Path(chosen.more[0])
    if chosen.command == "unpack":
        unpack(first, second)
    else:
        print(f"{second}: {pack(first, second):,} bytes")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"Error: {error}")
