"""The outputs of a finished run, kept where Snakemake does not remove them.

On a cluster the folds of a cell share an allocation. If one of them fails, Snakemake removes the outputs of all and
repeats all by force. Finished outputs are then taken from here; they are hard links, which cost no space.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .contracts import digest, file_digest, write_text

NAME = ".finished"  # a folder beside the outputs: a link to each, and a digest of the run's identity and their content


def keep_finished(folder: Path, names: Sequence[str], identity: str) -> None:
    """Keep the outputs `names` of a finished run, if its allocation is one that several runs may share."""
    if "SLURM_JOB_ID" not in os.environ:
        return  # outside SLURM no other run can take its outputs away
    drop_finished(folder)
    kept = folder / NAME
    kept.mkdir()
    try:
        for name in names:
            os.link(folder / name, kept / name)
    except OSError as error:  # some file systems have no hard links
        print(f"{kept}: not kept ({error}); a failure of another fold repeats this one", flush=True)
        return
    write_text(identity_of_content(kept, names, identity), kept / "identity")  # last: nothing is taken without it


def take_finished(folder: Path, names: Sequence[str], identity: str) -> bool:
    """Give the kept outputs their names again; False if no complete set has this identity."""
    kept = folder / NAME
    if not all((kept / name).is_file() for name in (*names, "identity")):
        return False
    # Every byte is read again, because a power cut can leave files short or full of zeros.
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
    """Forget what was kept, so that the run is done again."""
    shutil.rmtree(folder / NAME, ignore_errors=True)
