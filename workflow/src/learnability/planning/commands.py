"""The commands `learnability plan` and `learnability hours`: their arguments, and what they print."""

import argparse
from pathlib import Path

from ..errors import InputError
from ..storage.contracts import write_csv
from ..study.configuration import read_config
from ..workflow.job_work import TRAINING_RULES

PUBLISHED_DEVICE = "NVIDIA H200"  # assumed if nothing of the study has run yet


def add_plan(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "plan", help="what a study, or a part of it, will cost: jobs, hours, bytes; no data needed"
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="as for snakemake; without any, the whole study")
    parser.add_argument(
        "--configfile",
        nargs="+",
        default=[],
        type=Path,
        metavar="FILE",
        help="study files, as for check; -- before a target",
    )
    parser.add_argument("--forcerun", nargs="+", default=[], metavar="TARGET", help="as for snakemake")
    parser.add_argument("--profile", help="as for snakemake: the threads of the jobs")
    parser.add_argument("--device", help="a GPU's name as metrics.json has it, or cpu; without it, the one that this "
                        f"study ran on, else {PUBLISHED_DEVICE}")  # fmt: skip
    parser.add_argument("--gpus", nargs="+", default=[1, 8], type=int, metavar="N", help="GPUs of the wall time (1 8)")
    parser.add_argument("--rates", nargs="+", default=[], type=Path, metavar="FOLDER", help="further results folders")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row per rule and kind of job as well")
    parser.set_defaults(run=run_plan)


def add_hours(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("hours", help="where the hours of a run went, per rule")
    parser.add_argument("folder", type=Path, help="a results folder")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table as well")
    parser.set_defaults(run=run_hours)


def run_plan(chosen: argparse.Namespace) -> None:
    from .dag import planned_jobs
    from .rates import devices_of, measured_rates, results_folders, sustained_operations

    config = read_config(*chosen.configfile)
    if min(chosen.gpus) < 1:
        raise InputError(f"--gpus {min(chosen.gpus)}: expected at least 1")
    if absent := [folder for folder in chosen.rates if not folder.is_dir()]:
        raise InputError(f"--rates {absent[0]}: no such folder; expected the results of a study that has run")
    options = ["--profile", chosen.profile] if chosen.profile else []
    options += ["--forcerun", *chosen.forcerun] if chosen.forcerun else []
    jobs = planned_jobs(chosen.configfile, chosen.targets, options, lambda: prepare_counting(config, chosen.targets))
    from .costs import Plan
    from .printing import print_plan
    from .totals import per_kind

    seen = devices_of(Path(config["results"]))
    device = chosen.device or (seen.pop() if len(seen) == 1 else None)
    if device is None:
        device = PUBLISHED_DEVICE
        print(
            f"This study ran on no device yet and none is named, so the hours are those of an {device}, which this "
            "machine need not have. For another: --device cpu, or a GPU's name."
        )
    measured = [rate for path in results_folders(config["results"], chosen.rates) for rate in measured_rates(path)]
    plan = Plan(config, device, measured, sustained_operations())
    known = {rate.device for rate in measured} | {*sustained_operations()}
    if device not in known:
        print(f"No rate of {device} is known, so its hours are not counted; known are {', '.join(sorted(known))}.")
    try:
        costs = [plan.cost(job) for job in jobs]
    except Exception:  # a network that cannot be counted can hardly be trained; finding out why takes seconds
        from ..commands.missing_networks import wrong_networks

        wrong = [*wrong_networks(config, (job.wildcards for job in jobs if job.rule in TRAINING_RULES))]
        if not wrong:
            raise
        raise InputError("The study cannot run:\n  - " + "\n  - ".join(wrong)) from None
    kinds = per_kind(costs, device)
    print_plan(costs, kinds, plan, chosen.gpus)
    if chosen.csv:
        write_csv(kinds, chosen.csv)
        print(f"per rule and kind of job: {chosen.csv}")


def prepare_counting(config: dict, targets: list[str]) -> None:
    """Import what counts networks, and count those of a study, during the seconds that Snakemake takes."""
    import diffusers  # noqa: F401
    import timm  # noqa: F401

    from .networks import count_ahead

    if not targets:
        count_ahead(config)


def run_hours(chosen: argparse.Namespace) -> None:
    from .hours import hours_per_rule
    from .printing import print_hours

    table = hours_per_rule(chosen.folder)
    print_hours(table, chosen.folder)
    if chosen.csv:
        write_csv(table.astype(object).fillna("n/a"), chosen.csv)
