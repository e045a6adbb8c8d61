"""Plans and hours as tables in the terminal."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from ..commands.visible_gaps import most_of_variance, reading, visible_gaps
from ..study.words import counted
from ..tables.layout import points
from ..workflow.job_work import COSTLY_RULES
from .costs import READ, Cost, Plan
from .rates import CPU
from .totals import nothing_known, per_rule, wall_hours, without_rate


def print_plan(costs: list[Cost], kinds: pd.DataFrame, plan: Plan, gpus: list[int]) -> None:
    """Print a line for each costly rule, the sum, the wall time, and everything that was assumed."""
    console = Console()
    rules = per_rule(kinds)
    costly = rules[rules["rule"].isin(COSTLY_RULES)]
    grid = Table(title=f"Plan: {counted(len(costs), 'job')} on {plan.device}")
    grid.add_column("rule", no_wrap=True)
    for name in ("jobs", "GPU h", "CPU h", "GB written"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("hours from", overflow="fold")
    for row in costly.itertuples():
        # If nothing is known of a rule, its hours are unknown, not zero.
        known = row.jobs_without_rate < row.jobs
        gpu = hours(row.gpu_hours) if known and plan.device != CPU and row.rule != "prepare_dataset" else "–"
        cpu = hours(row.cpu_hours) if known else "–"
        grid.add_row(row.rule, f"{row.jobs:,}", gpu, cpu, f"{row.bytes_written / 1e9:,.1f}", row.source)
    cheap = len(costs) - int(costly["jobs"].sum())
    grid.add_row(
        "the others",
        f"{cheap:,}",
        "–",
        "–",
        "–",
        "not counted: seconds each, and the fetching of weights",
        end_section=True,
    )
    sums = kinds[["gpu_hours", "cpu_hours", "bytes_written"]].sum()
    known = not nothing_known(costs)
    gpu_total = hours(sums["gpu_hours"]) if known and plan.device != CPU else "–"
    cpu_total = hours(sums["cpu_hours"]) if known else "–"
    grid.add_row("total", f"{len(costs):,}", gpu_total, cpu_total, f"{sums['bytes_written'] / 1e9:,.1f}", "")
    console.print(grid)
    for line in [*walls(costs, plan, gpus), *assumptions(costs, plan)]:
        console.print(line, soft_wrap=True, highlight=False)
    print_visible(plan.config, console)


def print_visible(config: dict, console: Console) -> None:
    """Print the smallest gap that the study could see, a line per dataset."""
    found = visible_gaps(config)
    if not found:
        return
    grid = Table(title="The smallest gap that would be seen, in points of balanced accuracy")
    grid.add_column("dataset", no_wrap=True)
    for name in ("one autoencoder", "their mean"):
        grid.add_column(name, justify="right")
    grid.add_column("most of the variance from", overflow="fold")
    grid.add_column("counts from", overflow="fold")
    for each in found:
        least = "≥ " if each.flatters else ""
        mean = f"{least}{points(each.mean)}" if each.autoencoders > 1 else "–"
        most = most_of_variance(each) or "all classes alike"
        grid.add_row(each.dataset, f"{least}{points(each.cell)}", mean, most, each.origin)
    console.print(grid)
    for line in reading(config, found):
        console.print(line, soft_wrap=True, highlight=False)


def walls(costs: list[Cost], plan: Plan, gpus: list[int]) -> list[str]:
    """The least wall time on each number of GPUs; nothing where no hours are known."""
    if nothing_known(costs):
        return []
    lines = []
    for wall in (wall_hours(costs, number, plan.device) for number in gpus):
        bound = "the longest chain of jobs" if wall.chain > wall.divided else "all jobs divided among them"
        what = f"{counted(wall.gpus, 'job')} side by side" if plan.device == CPU else f"{wall.gpus} {plan.device}"
        lines.append(f"On {what}: at least {hours(wall.hours)} h wall time ({bound}; "
                     f"divided {hours(wall.divided)} h, chain {hours(wall.chain)} h)")  # fmt: skip
    return lines


def assumptions(costs: list[Cost], plan: Plan) -> list[str]:
    """What the numbers rest on."""
    lines = []
    if lacking := without_rate(costs):
        jobs = ", ".join(f"{number} {rule}" for rule, number in lacking.items())
        lines.append(f"No rate known yet, so not in any sum: {jobs}.")
    if any(cost.origin == "estimate" for cost in costs):
        sustained = plan.sustained
        known = [f"{pace / 1e12:.0f} in {network}" for network, pace in sustained.networks.items()]
        lines.append(
            f"Estimate, {'no job' if known else 'nothing'} measured: operations of the network counted by torch "
            f"(training: three forward passes; its array at {READ / 1e9:.1f} GB/s; start-up and FiLM not counted) over "
            f"{sustained.bfloat16 / 1e12:.0f} TFLOP/s in bfloat16, {sustained.tf32 / 1e12:.0f} in TF32 for autoencoders"
            f"{''.join(', ' + each for each in known)} ({sustained.source})."
        )
    names = dict.fromkeys(cost.job.wildcards["dataset"] for cost in costs if cost.job.rule in COSTLY_RULES)
    if names:
        counts = [f"{name} {plan.size(name).images:,} ({plan.size(name).origin})" for name in names]
        lines.append(f"Images: {', '.join(counts)}.")
        lines.append("Trainings and searches are assumed to run all their epochs; early stopping makes them shorter. "
                     "CPU h: wall hours times the threads of the job.")  # fmt: skip
    return lines


def print_hours(table: pd.DataFrame, folder: Path) -> None:
    said = "Wall time is exact. CPU time and memory are sampled and can miss 30 s at the end of a job."
    grid = Table(title=f"Where the hours went: {folder}", caption=said)
    grid.add_column("rule", no_wrap=True)
    for name in ("jobs", "wall h", "CPU h", "mean s", "max s", "peak MB"):
        grid.add_column(name, justify="right", no_wrap=True)
    for row in table.itertuples():
        cpu = hours(row.cpu_hours)
        peak = "n/a" if pd.isna(row.peak_mb) else f"{row.peak_mb:,.0f}"
        last = row.Index == len(table) - 1
        times = f"{row.mean_seconds:,.1f}", f"{row.max_seconds:,.1f}"
        grid.add_row(row.rule, f"{row.jobs:,}", hours(row.wall_hours), cpu, *times, peak, end_section=last)
    wall, cpu = table["wall_hours"].sum(), table["cpu_hours"].sum(min_count=1)
    grid.add_row("total", f"{table['jobs'].sum():,}", hours(wall), hours(cpu), "", "", "")
    Console().print(grid)


def hours(number: float) -> str:
    """Hours with a sensible number of digits; NaN means not measured."""
    if pd.isna(number):
        return "n/a"
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 1 else f"{number:.3f}"
