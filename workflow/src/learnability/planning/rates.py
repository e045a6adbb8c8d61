"""How fast jobs are: measured by the benchmarks of earlier runs, else shipped with the project, hardware named."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..configuration import ROOT, read_yaml
from ..contracts import InputError, read_json
from ..recipe import KEYS, Recipe
from ..store import open_packed
from .benchmarks import Benchmark, read_benchmarks
from .work import CLASSIFIER_RULES, COSTLY_RULES, ENCODING_RULES, GPU_RULES, TRAINING_RULES, Rows, Work, describe_work

SHIPPED = ROOT / "workflow" / "resources" / "rates.yaml"
SHIPPED_KEYS = ("rule", "kind", "device", "seconds_per_unit", "jobs")
CPU = "cpu"  # as metrics.json names it


@dataclass(frozen=True)
class Rate:
    """Seconds per unit of work of one rule and kind on one device, over some jobs, and where they were run."""

    rule: str
    kind: str
    device: str
    seconds_per_unit: float
    jobs: int
    origin: str


@dataclass(frozen=True)
class Sustained:
    """What a GPU keeps up in networks like these, operations per second, for an estimate where nothing was measured."""

    bfloat16: float  # classifiers
    tf32: float  # autoencoders
    source: str


def measured_rates(folder: Path) -> list[Rate]:
    """One rate per rule, kind and device of the jobs of a results folder: all seconds over all units."""
    jobs = [job for job in read_benchmarks(folder) if job.rule in COSTLY_RULES and job.wildcards is not None]
    devices = devices_of(folder)
    found: dict[tuple, list[tuple[Benchmark, Work]]] = defaultdict(list)
    for job in jobs:
        work, device = work_done(folder, job), device_of(folder, job, devices)
        if work and device:
            found[job.rule, work.kind, device].append((job, work))
    rates = []
    for (rule, kind, device), done in found.items():
        pace = sum(job.seconds for job, _ in done) / sum(work.units for _, work in done)
        origin = f"measured in {folder}, {max(job.day for job, _ in done)}"
        rates.append(Rate(rule, kind, device, pace, len(done), origin))
    return rates


def work_done(folder: Path, job: Benchmark) -> Work | None:
    """What a job that ran has done; None where its files are gone, or where a budget ended it and not its work."""
    wildcards, epochs = job.wildcards, None
    rows, params = rows_of(folder, job), params_of(folder, job)
    if rows is None or params is None or ("recipe" in params and params["recipe"].budget_seconds):
        return None
    if job.rule in TRAINING_RULES:
        metrics = metrics_of(folder, wildcards)
        if metrics is None:
            return None
        epochs = metrics["epochs"]
    return describe_work(job.rule, params, rows, wildcards.get("autoencoder", ""), epochs)


def params_of(folder: Path, job: Benchmark) -> dict | None:
    """The params of a job that ran; None where the recipe in them lacks a key, as another version wrote it."""
    if job.rule not in CLASSIFIER_RULES:
        return job.params
    recorded = job.params.get("recipe") or recipe_of_run(folder, job.params.get("cell") or {})
    try:
        recipe = Recipe.from_values({key: recorded[key] for key in KEYS if key in recorded})
    except InputError:
        return None
    return job.params | {"recipe": recipe}


def rows_of(folder: Path, job: Benchmark) -> Rows | None:
    """The packed array that a job read, or for prepare_dataset made."""
    names, cell = job.wildcards, job.params.get("cell") or {}
    space = cell.get("space", "image")
    if job.rule in ("prepare_dataset", "finetune_autoencoder", *ENCODING_RULES):
        path = folder / "datasets" / names["dataset"] / "images.npy"
    elif space == "image":
        path = folder / "datasets" / names["dataset"] / "images_small.npy"
    else:
        encoding = folder / "encodings" / names["dataset"]
        parts = [encoding / f"{cell['autoencoder']}{suffix}" for suffix in ("", f"@fold{cell['fold']}")]
        path = next((part / f"{space}s.npy" for part in parts if part.is_dir()), parts[0] / f"{space}s.npy")
    if not path.is_file():
        return None
    shape = open_packed(path).shape
    return Rows(shape[0], shape[1] if space == "latent" else shape[3], shape[2])


def recipe_of_run(folder: Path, cell: dict) -> dict:
    """The recipe that the classifier of a run was trained by, for the jobs that only apply it; {} where it is gone."""
    path = run_folder(folder, cell) / "model.json" if cell else None
    return read_json(path)["trained_by"] if path and path.is_file() else {}


def run_folder(folder: Path, cell: dict) -> Path:
    parts = (cell["dataset"], cell["space"], cell["autoencoder"], cell["recipe"], f"fold{cell['fold']}")
    return Path(folder, "runs", *parts)


def metrics_of(folder: Path, cell: dict) -> dict | None:
    path = run_folder(folder, cell) / "metrics.json"
    return read_json(path) if path.is_file() else None


def devices_of(folder: Path) -> set[str]:
    """The devices that the trainings of a results folder ran on."""
    return {read_json(path)["device"] for path in Path(folder, "runs").glob("*/*/*/*/fold*/metrics.json")}


def device_of(folder: Path, job: Benchmark, devices: set[str]) -> str | None:
    """What a job ran on: a training says it; the others ran where all trainings of the folder did, if that is one."""
    if job.rule not in GPU_RULES:
        return CPU
    if job.rule in TRAINING_RULES:
        metrics = metrics_of(folder, job.wildcards)
        return metrics and metrics["device"]
    return next(iter(devices)) if len(devices) == 1 else None


def rates_as_yaml(rates: list[Rate]) -> str:
    """Rates as rates.yaml holds them; where and when they were measured is for its `origin`."""
    import yaml

    return yaml.safe_dump(
        [{key: getattr(rate, key) for key in SHIPPED_KEYS} for rate in rates], sort_keys=False, width=120
    )


def shipped_rates() -> tuple[list[Rate], dict[str, Sustained]]:
    """The rates of workflow/resources/rates.yaml, and what GPUs sustain, by device."""
    content = read_yaml(SHIPPED)
    rates = [
        Rate(**{key: entry[key] for key in SHIPPED_KEYS},
             origin=f"shipped, {group['origin']}")
        for group in content["measured"] for entry in group["rates"]
    ]  # fmt: skip
    return rates, {name: Sustained(**entry) for name, entry in content["sustained"].items()}


def results_folders(results: str, further: list[Path]) -> list[Path]:
    """Where benchmarks may be: the study's folder first, then the named ones, then the other studies of results/."""
    beside = [path.parent for path in sorted(Path("results").glob("*/benchmarks"))]
    return list(dict.fromkeys([Path(results), *further, Path("results"), *beside]))
