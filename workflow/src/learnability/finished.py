"""The outputs of a finished run, kept where Snakemake does not remove them.

On a cluster the folds of a cell share an allocation. When one of them fails, Snakemake removes the outputs of them all
and repeats them all, forced. What was finished is then taken from here instead: hard links, which cost no space.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from .contracts import write_text

NAME = ".finished"  # a folder beside the outputs, with a link to each and the identity of the run


def keep_finished(folder: Path, names: Iterable[str], identity: str) -> None:
    """Keep the outputs `names` of a run that is finished, in an allocation that several runs share."""
    if "SLURM_JOB_ID" not in os.environ:
        return  # a run that ends by itself is over when it ends
    drop_finished(folder)
    kept = folder / NAME
    kept.mkdir()
    try:
        for name in names:
            os.link(folder / name, kept / name)
    except OSError as error:  # some file systems have no hard links
        print(f"{kept}: not kept ({error}); a failure of another fold repeats this one", flush=True)
        return
    write_text(identity, kept / "identity")  # last: without it the rest counts for nothing


def take_finished(folder: Path, names: Iterable[str], identity: str) -> bool:
    """Give the kept outputs their names again; False where there is nothing of this identity."""
    kept = folder / NAME
    if not (kept / "identity").is_file() or (kept / "identity").read_text() != identity:
        return False
    for name in names:
        (folder / name).unlink(missing_ok=True)
        os.link(kept / name, folder / name)
    print(f"{folder}: finished before; taken as it is", flush=True)
    return True


def drop_finished(folder: Path) -> None:
    """Forget what was kept: the run shall be done again."""
    shutil.rmtree(folder / NAME, ignore_errors=True)
