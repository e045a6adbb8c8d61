"""Where the numbers come from: configuration, code, weights, data, software, hardware, hours."""

import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..paper.findings import Findings
from ..planning.hours import hours_per_rule
from ..storage.contracts import read_json
from ..study.configuration import ROOT
from ..study.words import counted
from ..workflow.provenance import package_digest

PACKAGES = ["torch", "torchvision", "timm", "diffusers", "numpy", "scipy", "scikit-learn", "pandas", "snakemake"]


def code() -> dict[str, str]:
    """Version, commit where the checkout has one, and a digest of all modules and scripts."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=, with changes", "--exclude=*"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "none"
    return {"version": version, "commit": commit, "digest": package_digest()}


def software() -> dict[str, str]:
    """Versions of the environment that wrote the page."""
    import platform

    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware(metrics: pd.DataFrame, findings: Findings) -> list[str]:
    """The devices that trained and tested, as runs and Table 3 name them."""
    devices = [*metrics["device"], *findings.rows("table3").get("device", [])]
    return sorted(set(devices))


def data_sources(findings: Findings) -> list[dict]:
    """A row per dataset: counts and the digest of its packed content."""
    return [
        {
            "label": findings.dataset(name),
            "images": f"{card['images']:,}",
            "groups": f"{card['groups']:,}",
            "classes": len(card["classes"]),
            "imbalance": f"{card['imbalance_ratio']:.3g} : 1",
            "digest": card["digest"],
        }
        for name, card in findings.cards.items()
    ]


def weight_sources(cards: list[dict], findings: Findings) -> list[dict]:
    """A row per autoencoder and digest of weights: those fine-tuned on each dataset have one for each."""
    rows: dict[tuple[str, str], dict] = {}
    for card in cards:
        key = (card["autoencoder"], card["weights_digest"])
        row = {
            "label": findings.autoencoder(card["autoencoder"]),
            "layout": f"{counted(card['channels'], 'channel')}, factor {card['factor']}",
            "parameters": f"{card['parameters']:,}" if card.get("parameters") else "–",
            "source": card.get("source") or "–",
            "licence": card.get("licence") or "–",
            "digest": card["weights_digest"] or "",
            "datasets": [],
        }
        rows.setdefault(key, row)["datasets"].append(findings.dataset(card["dataset"]))
    names = [name for name, _ in rows]
    return [
        row | {"on": ", ".join(dict.fromkeys(row["datasets"])) if names.count(name) > 1 else "all"}
        for (name, _), row in rows.items()
    ]


def fetched_weights(results: Path) -> list[dict]:
    """Repository and revision of everything that came from the model hub."""
    return [
        {"name": path.parent.name} | {key: str(value) for key, value in read_json(path).items() if key != "files"}
        for path in sorted(results.glob("weights/*/source.json"))
    ]


def hours(results: Path) -> list[dict]:
    """Jobs, wall and CPU hours per rule, and their sum; nothing where no benchmark is there."""
    try:
        table = hours_per_rule(results)
    except InputError:
        return []
    total = {"rule": "total", **table[["jobs", "wall_hours", "cpu_hours"]].sum().to_dict()}
    lines = [*table[["rule", "jobs", "wall_hours", "cpu_hours"]].to_dict("records"), total]
    return [
        {"rule": line["rule"], "jobs": f"{line['jobs']:,.0f}"}
        | {key: "–" if pd.isna(line[key]) else _hours(line[key]) for key in ("wall_hours", "cpu_hours")}
        for line in lines
    ]


def _hours(number: float) -> str:
    """Three decimals of what is below an hour, one of what is above."""
    return f"{number:.3f}" if number < 1 else f"{number:,.1f}"
