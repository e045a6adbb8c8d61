"""The user's commands: `diagnose` without a study; `new`, `check` and `plan` before one; `show`, `verify`, `adopt`,
`hours` and `export` after it; `score` and `filter` for generated samples."""

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from .commands.diagnose import add_diagnose
from .errors import InputError
from .export.commands import add_export
from .generation.commands import add_filter, add_score
from .planning.commands import add_hours, add_plan
from .storage.contracts import read_csv, read_json
from .study.paths import dataset_file
from .study.study_file import read_study
from .study.words import counted
from .tables.caveats import at_chance, below_psnr, chance_row, sentences
from .tables.labels import PHANTOM_NOTICE, Labels, labels_of
from .tables.layout import values_over_folds

SPACE_NAMES = {"image": "image", "latent": "LS", "reconstruction": "RS"}


def show(folder: Path) -> None:
    """Print the verdicts of the controls, balanced accuracy in every space, and where to find the other results."""
    from rich.console import Console

    from .summary.controls import controls_of
    from .summary.diagnostics import diagnostics_of

    path = folder / "tables" / "table1.csv"
    if not path.is_file():
        raise InputError(f"{path} does not exist yet; run the study first (make demo, or snakemake)")
    scores = read_csv(path)
    scores = scores[scores["metric"] == "balanced_accuracy"]
    datasets = list(dict.fromkeys(scores["dataset"]))
    cards = [read_json(folder / dataset_file(name, "dataset.json")) | {"dataset": name} for name in datasets]
    labels = labels_of(named_in(folder, datasets), cards)
    console = Console()
    said = controls_of(folder)
    for text in [said.lead, *(f"  {line.verdict}: {line.text}" for line in said.lines)]:
        console.print(text, markup=False)
    console.print(grid_of(scores, labels))
    for text in [*caveats_of(folder, scores, labels), *filter(None, [diagnostics_of(folder)])]:
        console.print(text, soft_wrap=True, highlight=False)
    if labels.synthetic:
        console.print(PHANTOM_NOTICE)
    if (page := folder / "summary.html").is_file():
        console.print(f"Summary page for a browser: {page}", soft_wrap=True)
    console.print(f"All tables (csv, md, html, tex): {folder / 'tables'}", soft_wrap=True)
    console.print(
        f"Significance: {folder / 'significance'}   runs: {folder / 'runs'}   logs: {folder / 'logs'}", soft_wrap=True
    )


def grid_of(scores: pd.DataFrame, labels: Labels) -> Table:
    """The balanced accuracies of Table 1, a column per data set, as the terminal shows them."""
    datasets = list(dict.fromkeys(scores["dataset"]))
    title = f"Table 1, balanced accuracy, {values_over_folds(scores, with_sd=False)}"
    grid = Table(title=title, pad_edge=False, show_edge=False)
    grid.add_column("autoencoder", no_wrap=True, overflow="fold")  # a name that is cut could be another's
    grid.add_column("space")
    for name in datasets:
        shown = labels.dataset(name)
        longest = max(map(len, shown.split()))  # words may go on the next line, their letters not
        grid.add_column(escape(shown), justify="right", overflow="fold", min_width=longest)
    for name, rows in chance_row(["–"], datasets, ["balanced_accuracy"], labels):
        grid.add_row(name.lower(), *(f"0{cell}" if cell != "–" else cell for cell in rows[0]), end_section=True)
    for (autoencoder, space), rows in scores.groupby(["autoencoder", "space"], sort=False):
        mean = rows.set_index("dataset")["mean"]
        cells = [f"{mean[name]:.3f}" if name in mean else "–" for name in datasets]
        shown = escape(labels.autoencoders.get(autoencoder, autoencoder))
        grid.add_row(shown, SPACE_NAMES[space], *cells, end_section=space != "latent")
    return grid


def named_in(folder: Path, datasets: Iterable[str]) -> dict[str, dict[str, str]]:
    """The labels in study.json; of a folder without them, the names as words."""
    found = read_study(folder).get("labels", {}) if (folder / "study.json").is_file() else {}
    names = {name: name.replace("_", " ") for name in datasets}
    return {"datasets": names | found.get("datasets", {}), "autoencoders": found.get("autoencoders", {})}


def caveats_of(folder: Path, scores: pd.DataFrame, labels: Labels) -> list[str]:
    """What spoils numbers of Table 1: cells at chance, poor reconstructions."""
    study, fidelity = folder / "study.json", folder / "tables" / "table2.csv"
    found = at_chance(scores, labels, read_study(folder)["n_splits"]) if study.is_file() else []
    found += below_psnr(read_csv(fidelity)) if fidelity.is_file() else []
    return sentences(found, labels.datasets, labels.autoencoders)


def check(files: list[Path], images: int) -> bool:
    """Print a line for every dataset, autoencoder and starting weight of a study; True where it could run."""
    from rich.console import Console

    from .commands.check import examine
    from .study.configuration import read_config

    if images < 0:
        raise InputError(f"--images {images}: expected at least 0")
    lines, console = examine(read_config(*files), images), Console()
    wide = max(len(line.subject) for line in lines)
    for line in lines:
        mark, colour = ("warning", "yellow") if line.warning else ("ok", "green") if line.ready else ("missing", "red")
        text = f"[{colour}]{mark:<7}[/]  {escape(line.subject.ljust(wide))}  {escape(line.text)}"
        console.print(text, soft_wrap=True, highlight=False)  # never folded: a command in it can be copied
    missing = sum(not line.ready for line in lines)
    console.print(f"\n{missing} missing: the study cannot run yet." if missing else "\nThe study can run.")
    return not missing


def new(chosen: argparse.Namespace) -> bool:
    """Write a study file for what someone brings, and check it."""
    from .commands.new import write_study

    write_study(chosen.study, chosen.images, chosen.autoencoder, chosen.group, chosen.label, chosen.positive)
    ready, file = check([chosen.study], images=4), shlex.quote(str(chosen.study))
    if not ready:
        print(f"Then type again: learnability check --configfile {file}")
        return False
    print(f"Read {file}, correct what was guessed, then type: snakemake --profile profiles/local --configfile {file}")
    return True


def add_new(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("new", help="write a study file for your images and your autoencoder, and check it")
    parser.add_argument("study", type=Path, metavar="STUDY.yaml", help="the file; one that exists is not overwritten")
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        help="a folder of class folders, or a CSV in the folder that holds its images",
    )
    parser.add_argument(
        "--autoencoder",
        required=True,
        metavar="SOURCE",
        help="a name of config.yaml, a folder in diffusers format, a hub id, or your own class as module:Class",
    )
    parser.add_argument("--group", help="the column of the patient, or a regular expression that finds it in a path")
    parser.add_argument("--label", metavar="COLUMN", help="the column of the class, where that is not clear")
    parser.add_argument("--positive", metavar="CLASS", help="the positive one of two classes")
    parser.set_defaults(run=new)


def report_damage(folder: Path) -> bool:
    """Print which files of a results folder are not what was written, and what makes them again; True if none is."""
    from .commands.verify import verify

    compared, damaged = verify(folder)
    if not damaged:
        print(f"{folder}: {compared} digests and checksums compared, nothing is damaged")
        return True
    print(f"{folder}: {compared} digests and checksums compared, {counted(len(damaged), 'damaged file')}:")
    print("".join(f"  {path}\n" for path in damaged), end="")
    print("Remake them with the study file of this folder; the study then remakes everything that depends on them:")
    print(f"  snakemake --profile profiles/local --force {shlex.join(asked_for(damaged.values()))} --configfile ...")
    return False


def asked_for(files: Iterable[Path]) -> list[str]:
    """Outputs as the study's rules name them, each once: relative to the working directory where they lie below it."""
    here = Path.cwd()
    return [*dict.fromkeys(str(path.relative_to(here) if path.is_relative_to(here) else path) for path in files)]


def take_over(files: list[Path]) -> None:
    from .study.configuration import read_config
    from .workflow.adoption import adopt

    adopt(read_config(*files), files)


class Commands(argparse._SubParsersAction):
    """Commands whose own --help begins with what the list of all commands says of them."""

    def add_parser(self, name: str, *, help: str, **options) -> argparse.ArgumentParser:
        return super().add_parser(name, help=help, description=help, **options)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets `run`, which takes what was parsed."""
    parser = argparse.ArgumentParser(prog="learnability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, action=Commands)
    show_parser = commands.add_parser("show", help="print the verdicts of the controls, and Table 1")
    show_parser.add_argument("folder", type=Path, help="a results folder")
    show_parser.set_defaults(run=lambda chosen: show(chosen.folder))
    add_new(commands)
    check_parser = commands.add_parser("check", help="what a study needs, and whether it is there; no GPU needed")
    check_parser.add_argument(
        "--configfile", nargs="*", default=[], type=Path, metavar="FILE", help="study files, merged over config.yaml"
    )
    check_parser.add_argument(
        "--images", type=int, default=4, help="images that pass each autoencoder and come back (4); 0 leaves it out"
    )
    check_parser.set_defaults(run=lambda chosen: check(chosen.configfile, chosen.images))
    verify_parser = commands.add_parser("verify", help="compare every file of a results folder with the digests in it")
    verify_parser.add_argument("folder", type=Path, help="a results folder")
    verify_parser.set_defaults(run=lambda chosen: report_damage(chosen.folder))
    adopt_parser = commands.add_parser("adopt", help="take over the results of a version that computes the same")
    adopt_parser.add_argument("--configfile", nargs="*", default=[], type=Path, metavar="FILE", help="study files")
    adopt_parser.set_defaults(run=lambda chosen: take_over(chosen.configfile))
    add_plan(commands)
    add_hours(commands)
    add_diagnose(commands)
    add_score(commands)
    add_filter(commands)
    add_export(commands)
    return parser


def main(arguments: list[str] | None = None) -> None:
    chosen = build_parser().parse_args(arguments)
    try:
        if chosen.run(chosen) is False:  # a check that found something missing
            sys.exit(1)
    except InputError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
