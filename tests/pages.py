"""The commands and files that the documentation tells a reader to type, in indented blocks and between backticks."""

import itertools
import re
import shlex
from pathlib import Path

from learnability.study.configuration import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
PROGRAMS = (
    "snakemake", "learnability", "make", "python", "cp", "export", "source", "cd", "mkdir", "for", "curl", "done",
    "ruff", "snakefmt", "docker", "apptainer", "squeue", "scontrol", "scancel", "sbatch", "hf", "uv", "touch",
)  # fmt: skip
RUN = "results/runs/isic2019/latent/flux2/latent/fold3/metrics.json"  # an example for PATH


def text_of(page: Path) -> str:
    """The text of a page, with continued commands joined into one line."""
    return page.read_text(encoding="utf-8").replace(" \\\n", " ")


def commands_of(page: Path) -> list[str]:
    """The commands of a page, without comments."""
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    lines += re.findall(r"`([^`\n]+)`", text)
    parts = [re.split(r" \| ", part)[0].strip() for line in lines for part in re.sub(r"\s+#.*", "", line).split(" && ")]
    found = [" ".join(part.split()) for part in parts if part.split(" ")[0] in PROGRAMS and " " in part]
    return found + targets_after(text)


def targets_after(text: str) -> list[str]:
    """Commands from a table whose head is: what you type after `snakemake --profile slurm`."""
    found = []
    for head, rows in re.findall(r"^\|.*you type after (.+?)\|\n\|[-| ]+\n((?:\|.*\n)+)", text, flags=re.MULTILINE):
        before = re.findall(r"`([^`]+)`", head)[0]
        cells = [row.split("|")[2] for row in rows.splitlines()]
        found += [f"{before} {target}" for cell in cells for target in re.findall(r"`([^`]+)`", cell)]
    return found


def all_commands() -> dict[str, set[str]]:
    """Every command, with the pages that have it."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for command in commands_of(page):
            found.setdefault(command, set()).add(str(page.relative_to(ROOT)))
    return found


def files_of_pages() -> dict[str, str]:
    """The files that a page gives: YAML blocks that begin with `# name.yaml` or are to be saved under a name."""
    found = {}
    for page in PAGES:
        blocks = re.findall(r"^```yaml\n(.*?)^```", text_of(page), flags=re.DOTALL | re.MULTILINE)
        for block in blocks:
            if named := re.match(r"# (\w+\.yaml)(?:,.*)?\n", block):
                found[named[1]] = block
    own = re.findall(r"```yaml\n(.*?)```", text_of(ROOT / "docs/own_autoencoder.md"), flags=re.DOTALL)
    return found | {"block_dct.yaml": own[0], "three_folds.yaml": "study: {folds: [0, 1, 2]}\n"}


def words(command: str) -> list[str]:
    """The words of a command as the shell passes them on: braces expanded, PATH replaced by a path."""
    parts = shlex.split(command.split(" > ")[0].replace("PATH", RUN))
    return [word for part in parts for word in expanded(part)]


def expanded(word: str) -> list[str]:
    """Expand fold{0,1} to fold0 and fold1; braces without a comma stay."""
    pieces = re.split(r"(\{[^{}]*,[^{}]*\})", word)
    choices = [piece[1:-1].split(",") if re.fullmatch(r"\{[^{}]*,[^{}]*\}", piece) else [piece] for piece in pieces]
    return ["".join(parts) for parts in itertools.product(*choices)]
