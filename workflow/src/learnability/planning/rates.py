"""How fast jobs are, from benchmarks of earlier runs; and what GPUs sustain, for estimates."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..storage.arrays import open_packed
from ..storage.contracts import read_json
from ..study.array_sizes import ArraySize
from ..study.configuration import ROOT, read_yaml
from ..study.paths import RUN, SEARCH, dataset_file, encoding_file, run_file
from ..study.recipe import KEYS, Recipe
from ..workflow.job_work import (
    CLASSIFIER_RULES,
    COSTLY_RULES,
    DIAGNOSING_RULES,
    ENCODING_RULES,
    GPU_RULES,
    SEARCH_RULES,
    TRAINING_RULES,
    Work,
    describe_work,
)
from .benchmarks import Benchmark, read_benchmarks

GPUS = ROOT / "workflow" / "resources" / "gpus.yaml"
CPU = "cpu"  # as metrics.json names it


@dataclass(frozen=True)
class Rate:
    """Seconds per unit of work of a rule and kind on one device, over some jobs, and where these ran."""

    rule: str
    kind: str
    device: str
    seconds_per_unit: float
    jobs: int
    origin: str


@dataclass(frozen=True)
class Sustained:
    """Operations per second that a GPU sustains in such networks, for an estimate if no job was measured."""

    bfloat16: float  # classifiers
    tf32: float  # autoencoders
    source: str
    networks: dict[str, float] = field(default_factory=dict)  # by model or class, as measured by make gpu-check

    def of_classifier(self, model: str) -> float:
        return self.networks.get(model, self.bfloat16)

    def of_autoencoder(self, kind: str) -> float:
        return self.networks.get(kind, self.tf32)


def measured_rates(folder: Path) -> list[Rate]:
    """A rate for each rule, kind and device in a results folder: the sum of seconds over the sum of units."""
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
    """The work of a finished job; None if its files are gone or its budget ended it."""
    wildcards, epochs = job.wildcards, None
    array, params = array_of(folder, job), params_of(folder, job)
    if array is None or params is None or ("recipe" in params and params["recipe"].budget_seconds):
        return None
    if job.rule in TRAINING_RULES:
        metrics = metrics_of(folder, wildcards)
        if metrics is None:
            return None
        epochs = metrics["epochs"]
    return describe_work(job.rule, params, array, wildcards.get("autoencoder", ""), epochs)


def params_of(folder: Path, job: Benchmark) -> dict | None:
    """The params of a job that ran; None if another version wrote them and their recipe lacks a key."""
    if job.rule not in CLASSIFIER_RULES:
        return job.params
    recorded = job.params.get("recipe") or recipe_of_run(folder, job.params.get("cell") or {})
    try:
        recipe = Recipe.from_values({key: recorded[key] for key in KEYS if key in recorded})
        if job.rule in SEARCH_RULES:
            recipe = recipe.with_values({"search.workers": workers_of(folder, job.wildcards)})
    except InputError:
        return None
    return job.params | {"recipe": recipe}


def workers_of(folder: Path, names: dict[str, str]) -> int:
    """How many jobs shared a search, judged by their files: benchmarks hold no parameters that change no result."""
    return 1 + len(list((folder / SEARCH.format(**{"of_space": ""} | names)).glob("worker*.json")))


def array_of(folder: Path, job: Benchmark) -> ArraySize | None:
    """The packed array that a job read, or that prepare_dataset made."""
    names, cell = job.wildcards, job.params.get("cell") or {}
    space = cell.get("space", "image")
    if job.rule in ("prepare_dataset", "finetune_autoencoder", *ENCODING_RULES, *DIAGNOSING_RULES):
        path = folder / dataset_file(names["dataset"], "images.npy")
    elif space == "image":
        path = folder / dataset_file(names["dataset"], "images_small.npy")
    else:
        found = [cell["autoencoder"], f"{cell['autoencoder']}@fold{cell['fold']}"]
        paths = [folder / encoding_file(names["dataset"], name, f"{space}s.npy") for name in found]
        path = next((path for path in paths if path.is_file()), paths[0])
    if not path.is_file():
        return None
    try:
        shape = open_packed(path).shape
    except InputError:  # damaged: `learnability verify` says so
        return None
    return ArraySize(shape[0], shape[1] if space == "latent" else shape[3], shape[2])


def recipe_of_run(folder: Path, cell: dict) -> dict:
    """The recipe of the run's classifier, for jobs that only apply it; {} if the file is gone."""
    path = folder / run_file(cell, "model.json") if cell else None
    return read_json(path)["trained_by"] if path and path.is_file() else {}


def metrics_of(folder: Path, cell: dict) -> dict | None:
    path = folder / run_file(cell, "metrics.json")
    return read_json(path) if path.is_file() else None


def devices_of(folder: Path) -> set[str]:
    """The devices that the trainings of a results folder ran on."""
    return {read_json(path)["device"] for path in Path(folder).glob(re.sub(r"{\w+}", "*", f"{RUN}/metrics.json"))}


def device_of(folder: Path, job: Benchmark, devices: set[str]) -> str | None:
    """A job's device. A training states it; other jobs take that of the folder's trainings, if it is only one."""
    if job.rule not in GPU_RULES:
        return CPU
    if job.rule in TRAINING_RULES:
        metrics = metrics_of(folder, job.wildcards)
        return metrics and metrics["device"]
    return next(iter(devices)) if len(devices) == 1 else None


def sustained_operations() -> dict[str, Sustained]:
    """What the GPUs of workflow/resources/gpus.yaml sustain, by device."""
    return {name: sustained_by(name, read_yaml(GPUS)) for name in read_yaml(GPUS)}


def sustained_by(device: str, gpus: dict[str, dict]) -> Sustained:
    """What a GPU sustains: from its own entry, or from that of a GPU that is no faster if only that was measured."""
    entry = gpus[device]
    if (like := entry.get("like")) in gpus and "networks" not in entry:
        entry = gpus[like] | {"source": f"no slower than {like}, {gpus[like]['source']}"}
    return Sustained(**{key: entry[key] for key in ("bfloat16", "tf32", "source", "networks") if key in entry})


def results_folders(results: str, further: list[Path]) -> list[Path]:
    """Folders that may hold benchmarks: the study's own, the named ones, then the other studies in results/."""
    beside = [path.parent for path in sorted(Path("results").glob("*/benchmarks"))]
    return list(dict.fromkeys([Path(results), *further, Path("results"), *beside]))
