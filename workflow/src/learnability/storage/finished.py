"""The outputs of a finished run, kept where Snakemake does not remove them.

On a cluster the folds of a cell share an allocation. When one of them fails, Snakemake removes the outputs of them all
and repeats them all, forced. What was finished is then taken from here instead: hard links, which cost no space.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .contracts import digest, file_digest, write_text

NAME = ".finished"  # a folder beside the outputs, with a link to each and the identity of the run and their content


def keep_finished(folder: Path, names: Sequence[str], identity: str) -> None:
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
    write_text(identity_of_content(kept, names, identity), kept / "identity")  # last: without it nothing is taken


def take_finished(folder: Path, names: Sequence[str], identity: str) -> bool:
    """Give the kept outputs their names again; False if nothing complete has this identity."""
    kept = folder / NAME
    if not all((kept / name).is_file() for name in (*names, "identity")):
        return False
    # Read again to the last byte: a power cut leaves files short, or of zeros, under names that were there before.
    if (kept / "identity").read_bytes() != identity_of_content(kept, names, identity).encode():
        return False
    for name in names:
        (folder / name).unlink(missing_ok=True)
        os.link(kept / name, folder / name)
    print(f"{folder}: finished earlier; reused as it is", flush=True)
    return True


def identity_of_content(kept: Path, names: Sequence[str], identity: str) -> str:
    """A digest of the run's identity and of the content of its outputs."""
    return digest([identity, *(file_digest(kept / name) for name in names)])


def drop_finished(folder: Path) -> None:
    """Forget what was kept: the run shall be done again."""
    shutil.rmtree(folder / NAME, ignore_errors=True)
