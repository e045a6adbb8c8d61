"""Keeps the figures of a device in a JSON file, which is complete after every figure."""

import math
import re
import time
from pathlib import Path

import torch

from learnability.storage.contracts import read_json, write_json

from .setting import Figure

DONE = "done"


class Results:
    """`parts` by name: identity, date, torch, seconds, how it ended, and its figures in their order."""

    def __init__(self, folder: Path, device: str, tiny: bool):
        self.path = folder / f"{re.sub(r'[^A-Za-z0-9]+', '_', device).strip('_')}{'.tiny' if tiny else ''}.json"
        self.content = {"device": device, "tiny": tiny, "parts": {}}
        if self.path.is_file():
            self.content = read_json(self.path)
        self.parts: dict[str, dict] = self.content["parts"]

    def has(self, name: str, identity: str) -> bool:
        """Whether a part was measured to its end, by this code."""
        part = self.parts.get(name, {})
        return part.get("ended") == DONE and part["identity"] == identity

    def begin(self, name: str, identity: str) -> None:
        self.parts[name] = {
            "identity": identity,
            "date": time.strftime("%-d %B %Y"),
            "torch": torch.__version__,
            "ended": "killed",  # until the part reports its end
            "seconds": None,
            "figures": [],
        }
        write_json(self.content, self.path)

    def add(self, name: str, figure: Figure) -> None:
        if isinstance(figure.value, float) and not math.isfinite(figure.value):  # JSON has no number for it
            figure = figure._replace(value=str(figure.value))
        self.parts[name]["figures"].append(list(figure))
        write_json(self.content, self.path)
        value = f"{figure.value:.5g}" if isinstance(figure.value, float) else figure.value
        print(f"  [{name}] {figure.of}, {figure.what}: {value}", flush=True)

    def end(self, name: str, ended: str, seconds: float) -> None:
        self.parts[name] |= {"ended": ended, "seconds": round(seconds, 1)}
        write_json(self.content, self.path)


def stored(folder: Path) -> list[dict]:
    """The contents of all result files of a folder."""
    return [read_json(path) for path in sorted(folder.glob("*.json"))]


def figures_of(part: dict) -> list[Figure]:
    return [Figure(*values) for values in part["figures"]]
