"""The command of a run as the summary shows it: without folders of this machine, as the page may be passed on."""

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

ABSOLUTE = r"(?<![\w.~/])/(?!/)[^\s,:}\]\"']+"  # also in results=/scratch/me/study; not in s3://bucket/study or a/b


def shown_command(words: Iterable[str], here: Path) -> str:
    """`snakemake` with these arguments; a path becomes its place below `here`, or else its last part."""
    words = [word.replace(f"{here}/", "") for word in words]
    words = [
        Path(word).name if os.path.isabs(word) else re.sub(ABSOLUTE, lambda path: Path(path[0]).name, word)
        for word in words
    ]
    return shlex.join(["snakemake", *words])
