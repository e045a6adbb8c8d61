"""docs/measurements/gpu.md: what the check measures, and the figures of every device on which it ran."""

import ast
from collections.abc import Sequence
from pathlib import Path

from .results import DONE, figures_of

PARTS_FOLDER = Path(__file__).parent / "parts"
HEADER = """# The GPU path

    make gpu-check                          # on an NVIDIA GPU: everything; planned for eight minutes of an H100
    make gpu-check PARTS="train step"       # these parts anew
    make gpu-check DEVICE=cpu TINY=1        # do the commands run? a minute of a CPU, measures nothing

Written by the first of these commands, from the files in `docs/measurements/gpu`, one for each device that it ran on.
A command that was stopped goes on with the parts that are missing, failed, or were measured with other code. On a
machine that has the repository and the Python packages alone, `python -m benchmarks.gpu` does the same; `--raw FOLDER`
keeps the file elsewhere, `--minutes 4` takes less time. Once the file lies in `docs/measurements/gpu`, `make pages`
writes this page from it, and into `workflow/resources/gpus.yaml` the rates by which `learnability plan` estimates."""
NOT_RUN = """**Nothing has run on a GPU yet.** Tests check the CUDA path on tensors without content: devices and types
agree in training steps, passes and fine-tuning, and a step does not wait for the device. The rates of
`learnability plan` are estimates, whose source stands in `workflow/resources/gpus.yaml`. Tests run the parts below on a
CPU. What only a device can decide is not decided: trainings use neither a CUDA graph nor `torch.compile`,
which parts `step` and `compiled` try; convolutions of autoencoders lie channels last, as on a CPU, and `autoencoders`
tries the other layout. The batch of an encoding follows from the memory of the card; tests invent the sizes of that
memory."""
TINY = "**A tiny run: it says whether the commands run. Its figures are no measurement, and none of a GPU.**"
ON_CPU = "**Measured on a CPU: none of these figures is of a GPU.**"


def page(results: Sequence[dict]) -> str:
    """Write the page from the contents of the result files."""
    state = [] if any(is_of_gpu(result) for result in results) else [NOT_RUN]
    return "\n\n".join([HEADER, *state, parts_table(), *map(section, results)]) + "\n"


def is_of_gpu(result: dict) -> bool:
    return not result["tiny"] and result["device"] != "CPU"


def parts_table() -> str:
    """A table of what each part measures, from the docstrings of their modules."""
    from .runner import PARTS

    trees = {name: ast.parse((PARTS_FOLDER / f"{name}.py").read_text(encoding="utf-8")) for name in PARTS}
    rows = [[f"`{name}`", ast.get_docstring(tree).rstrip(".")] for name, tree in trees.items()]
    return "## Parts\n\n" + table(["", "measures"], rows)


def section(result: dict) -> str:
    """The figures of one device."""
    warning = [TINY] if result["tiny"] else [] if is_of_gpu(result) else [ON_CPU]
    name = f"{result['device']}{', tiny' if result['tiny'] else ''}"
    return "\n\n".join([f"## {name}", *warning, *(part(name, found) for name, found in result["parts"].items())])


def part(name: str, found: dict) -> str:
    """One part: date, versions, how it ended, and a table with a row for each thing measured."""
    seconds = "" if found["seconds"] is None else f", {found['seconds']:.0f} s"
    parts = [f"### {name}", f"{found['date']}, torch {found['torch']}, code {found['identity'][:12]}{seconds}."]
    if found["ended"] != DONE:
        parts.append(f"**{found['ended'].strip().splitlines()[0]}**\n\n```\n{found['ended'].strip()}\n```")
    figures = figures_of(found)
    columns = list(dict.fromkeys(figure.what for figure in figures))
    cells = {(figure.of, figure.what): figure.value for figure in figures}
    rows = [
        [of, *(shown(cells.get((of, column), "")) for column in columns)] for of in dict.fromkeys(f.of for f in figures)
    ]
    return "\n\n".join([*parts, *([table(["", *columns], rows)] if rows else [])])


def shown(value: float | int | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
