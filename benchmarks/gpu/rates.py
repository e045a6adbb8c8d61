"""Makes the rates of `learnability plan` (workflow/resources/gpus.yaml) from measurements; they replace estimates."""

from collections.abc import Sequence

import yaml

from .page import is_of_gpu
from .results import DONE, figures_of

PAGE = "docs/measurements/gpu.md"
STUDY = "TF32"  # the precision of autoencoders


def with_measured(text: str, results: Sequence[dict]) -> str:
    """The content of gpus.yaml with the rates of every measured GPU; its first comment stays."""
    comment = [line for line in text.splitlines() if line.startswith("#")]
    measured = {result["device"]: entry for result in results if (entry := entry_of(result))}
    if not measured:
        return text
    entries = (yaml.safe_load(text) or {}) | measured
    return "\n".join([*comment, yaml.safe_dump(entries, sort_keys=False, width=110).rstrip()]) + "\n"


def entry_of(result: dict) -> dict | None:
    """Operations per second by network, on the data with which it is slowest; None if a part is missing."""
    parts = {name: result["parts"].get(name, {"ended": ""}) for name in ("train", "autoencoders")}
    if not is_of_gpu(result) or any(part["ended"] != DONE for part in parts.values()):
        return None
    classifiers = slowest(parts["train"], "network", "")
    autoencoders = slowest(parts["autoencoders"], "class", STUDY)
    return {
        "bfloat16": min(classifiers.values()),
        "tf32": min(autoencoders.values()),
        "networks": classifiers | autoencoders,
        "source": f"measured on {parts['train']['date']} by make gpu-check ({PAGE})",
    }


def slowest(part: dict, named: str, ending: str) -> dict[str, float]:
    """The least operations per second of each network (column `named`), over the rows with this ending."""
    rows: dict[str, dict] = {}
    for figure in figures_of(part):
        rows.setdefault(figure.of, {})[figure.what] = figure.value
    found: dict[str, float] = {}
    for of, row in rows.items():
        if of.endswith(ending):
            pace = float(f"{row['TFLOP/s'] * 1e12:.3g}")
            found[row[named]] = min(pace, found.get(row[named], pace))
    return found
