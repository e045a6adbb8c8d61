"""The command `learnability export`: a folder to pass on, written whole or not at all."""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..errors import InputError
from ..storage.whole_files import own_temporary, remove_abandoned, unwritten
from ..study.configuration import ROOT
from ..study.words import counted
from .content import Files, files_of
from .crate import write_crate
from .finished import refuse_unfinished
from .model_card import model_card
from .readme import readme


def add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export", help="a finished study to pass on, as an RO-Crate: tables, cards, classifiers"
    )
    parser.add_argument("folder", type=Path, metavar="RESULTS", help="the results folder of a study that is finished")
    parser.add_argument("out", type=Path, metavar="DIR", help="a new folder, or one that is empty")
    parser.set_defaults(run=run_export)


def run_export(chosen: argparse.Namespace) -> None:
    files = export(chosen.folder, chosen.out)
    classifiers = sum(name.endswith("/model.json") for name in files)
    number = f"{counted(len(files), 'file')}, {counted(classifiers, 'classifier')}"
    print(f"{chosen.out}: {number}; begin with {chosen.out / 'README.md'}")
    print("Not in it: images, reconstructions, latents, and what has a row for each image.")


def export(results: Path, out: Path) -> list[str]:
    """Write the parts of a finished study that may be passed on as an RO-Crate; return the names of its files.

    The same results give the same bytes; the date is that of the newest result. Raises InputError if the study is
    not finished, a file is damaged, `out` holds something already, or a file names a folder of this machine.
    """
    refuse_place(results, out)
    refuse_unfinished(results)
    files = files_of(results)
    cards = [name for name in files if name.endswith("/model.json")]
    for name in cards:
        run = (results / name).parent
        files[name.removesuffix("model.json") + "README.md"] = model_card(results, run).encode()
    files["README.md"] = readme(results, list(files)).encode()
    times = [path.stat().st_mtime for path in files.values() if isinstance(path, Path) and path.is_relative_to(results)]
    when = datetime.fromtimestamp(int(max(times)), UTC)
    with folder_written_whole(out) as folder:
        write_files(files, folder)
        refuse_folders_of_machine(folder, [results.absolute(), results.resolve(), ROOT, Path.home()])
        write_crate(folder, results.resolve().name, when, sorted(files))
    return sorted(files)


def refuse_place(results: Path, out: Path) -> None:
    """Refuse a folder that is not empty, or within the results, where the study would take its files for its own."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; nothing is overwritten, give a new one")
    if out.resolve().is_relative_to(results.resolve()):
        raise InputError(f"{out}: lies in the results that are exported, {results}; give a folder outside of them")


@contextmanager
def folder_written_whole(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its name only if the block ends without an error."""
    out = out.absolute()
    temporary = own_temporary(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(out)
        temporary.mkdir()
        yield temporary
        temporary.rename(out)  # replaces an empty folder; OSError if it was filled in the meantime
    except OSError as error:
        raise InputError(unwritten(Path(error.filename or out), error).strerror) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_files(files: Files, folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())


def refuse_folders_of_machine(folder: Path, private: list[Path]) -> None:
    """Refuse an export if a file names one of these folders, or something below one."""
    names = {f"{path}".encode() for path in private if len(path.parts) > 2}
    names |= {f"{path}/".encode() for path in private if len(path.parts) == 2}  # other texts contain /root too
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for name in sorted(names):
            if name in content:
                raise InputError(
                    f"{path.relative_to(folder)} of the export would name {name.decode()}, a folder of this machine; "
                    "in config.yaml write it as ${NAME} and set that variable; of any other file please report it"
                )
