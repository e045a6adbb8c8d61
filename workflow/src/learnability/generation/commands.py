"""The commands `learnability score` and `learnability filter`: their arguments, and what they print."""

import argparse
from pathlib import Path

from ..study.configuration import read_config
from ..study.words import counted


def add_score(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("score", help="class probabilities of generated latents or images")
    parser.add_argument("sources", nargs="+", type=Path, metavar="FILE", help="latents (.npy or .safetensors), "
                        "or images and folders of images")  # fmt: skip
    parser.add_argument("--classifier", required=True, type=Path, metavar="RUN", help="folder of a training")
    parser.add_argument("--autoencoder", metavar="NAME", help="encodes the images, for a classifier of latents")
    parser.add_argument(
        "--configfile", nargs="*", default=[], type=Path, metavar="FILE", help="the classifier's study, as for check"
    )
    parser.add_argument("--sigma", type=float, help="noise of the latents, for a noise-conditioned classifier")
    parser.add_argument(
        "--pipeline-units", type=Path, metavar="CARD", help="the latents are in the units of this autoencoder.json"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="scores, a Parquet file")
    parser.set_defaults(run=run_score)


def add_filter(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("filter", help="keep the samples that are taken for their intended class")
    parser.add_argument("--scores", required=True, type=Path, metavar="FILE", help="what score has written")
    intended = parser.add_mutually_exclusive_group(required=True)
    intended.add_argument("--intended", type=Path, metavar="FILE", help="CSV with the columns sample_id, label_name")
    intended.add_argument("--class", dest="label", metavar="NAME", help="the intended class of all samples")
    rule = parser.add_mutually_exclusive_group(required=True)
    rule.add_argument("--threshold", type=float, help="least probability of the intended class")
    rule.add_argument("--best", type=int, metavar="K", help="keep the K most probable samples of each class")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="kept samples, a CSV file")
    parser.set_defaults(run=run_filter)


def run_score(chosen: argparse.Namespace) -> None:
    from .scoring import score  # imports torch, which takes seconds

    config = read_config(*chosen.configfile)
    frame = score(
        chosen.classifier, chosen.sources, chosen.out, config, chosen.autoencoder, chosen.sigma, chosen.pipeline_units
    )
    print(f"{counted(len(frame), 'sample')} scored: {chosen.out}")


def run_filter(chosen: argparse.Namespace) -> None:
    """Filter, and print the acceptance rate of each class and of all."""
    from rich.console import Console
    from rich.table import Table

    from .filtering import acceptance_path, keep

    rates = keep(chosen.scores, chosen.out, chosen.intended, chosen.label, chosen.threshold, chosen.best)
    grid = Table(title="Acceptance")
    grid.add_column("class", overflow="fold")
    for name in ("samples", "kept", "rate"):
        grid.add_column(name, justify="right")
    for row in rates.itertuples():
        grid.add_row(row.label_name, str(row.samples), str(row.kept), f"{row.acceptance_rate:.3f}")
    console = Console()
    console.print(grid)
    console.print(f"Kept samples: {chosen.out}   rates: {acceptance_path(chosen.out)}", soft_wrap=True)
