"""Which files of a study are passed on, and what is left out of its cards: images, samples and folders."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from ..storage.contracts import CARD_DIGEST, digest, read_json, refuse_damaged
from ..storage.vouched import files_matching
from ..study.configuration import ROOT
from ..study.sources import LOCAL, is_folder
from ..summary.page import IMAGES

# Files to copy unchanged. All others stay: images, latents, reconstructions; samples, folds, predictions, fidelity,
# duplicates and teachers' logits, which have a row for each image; journals, logs and benchmarks, which name folders.
PLAIN = (
    "study.json", "controls.rst", "tables/*.csv", "tables/*.md", "tables/*.html", "tables/*.tex", "significance/*.csv",
    "significance/*.html", "figures/*.svg", "figures/*.png", "efficiency/*/*/*.csv", "diagnostics/*/*.csv",
    "across_spaces/*/*/*/*.csv", "searches/*/*/*/*/best.json",
    "weights/*/source.json", "weights/*/*/tuning.json", "runs/*/*/*/*/*/history.csv", "runs/*/*/*/*/*/metrics.json",
    "runs/*/*/*/*/*/model.json", "runs/*/*/*/*/*/model.safetensors", "runs/*/*/*/*/*/noise_curve.parquet",
)  # fmt: skip
# Kept of a data set's card: counts and digests. Its file names and column values may name patients.
OF_DATASET = (
    "dataset", "synthetic", "licence", "classes", "positive", "images", "groups", "grouped", "grouped_by", "counts",
    "imbalance_ratio", "image_size", "classifier_size", "channels", "resize", "subset", "bad_images",
    "images_with_colour", "duplicates", "digest", "digest_small", "digest_samples",
)  # fmt: skip
CODE = ("Snakefile", "config.yaml", "CITATION.cff", "LICENSE", "pyproject.toml", "envs/requirements.txt")
CODE_FOLDERS = ("rules", "scripts", "schemas", "report", "plugins", "src")
CODE_SUFFIXES = (".py", ".smk", ".yaml", ".jinja", ".rst", ".css")
Files = dict[str, Path | bytes]  # by path in the export: a file to copy, or its content


def files_of(results: Path) -> Files:
    """Every file that is passed on, except those that the export itself writes; InputError for damaged ones."""
    files: Files = {}
    cards = cards_named(results, "datasets/*/dataset.json")
    synthetic = bool(cards) and all(card["synthetic"] for card in cards.values())
    for pattern in PLAIN:
        files |= {name: results / name for name in names_of(results, pattern)}
    if not synthetic:
        files = {name: path for name, path in files.items() if Path(name).stem not in IMAGES}
    if synthetic or not shows_images(results):
        files["summary.html"] = results / "summary.html"
    files |= {name: as_card({key: card[key] for key in OF_DATASET if key in card}) for name, card in cards.items()}
    encodings = cards_named(results, "encodings/*/*/autoencoder.json")
    encodings |= cards_named(results, "encodings/*/*/views*/autoencoder.json")
    files |= {name: as_card(without_folder(card)) for name, card in encodings.items()}
    for name in files:
        if name.endswith("/model.json"):
            refuse_damaged((results / name).with_name("model.safetensors"), read_json(results / name))
    return dict(sorted(files.items())) | {f"code/{name}": ROOT / name for name in code_files()}


def names_of(results: Path, pattern: str) -> list[str]:
    return [path.relative_to(results).as_posix() for path in files_matching(results, pattern)]


def cards_named(results: Path, pattern: str) -> dict[str, dict]:
    return {name: read_json(results / name) for name in names_of(results, pattern)}


def shows_images(results: Path) -> bool:
    """Whether the summary contains a figure of images, in either of its formats."""
    page = (results / "summary.html").read_bytes()
    figures = [path for name in IMAGES for path in results.glob(f"figures/{name}.*")]
    return any(base64.b64encode(path.read_bytes()) in page for path in figures) or any(
        f'id="{name}"'.encode() in page for name in IMAGES
    )


def without_folder(card: dict) -> dict:
    """An autoencoder's card without the name of a folder; it says only that there was one, and whether it was tuned."""
    source = card.get("source") or ""
    if not is_folder(source) and not source.startswith(f"{LOCAL} "):  # a source with ${...} is a path
        return card
    return card | {"source": "a folder" + ", fine-tuned" * source.endswith(", fine-tuned")}


def as_card(content: dict) -> bytes:
    """The bytes of a JSON file with a digest of itself, as in a study."""
    return (json.dumps(content | {CARD_DIGEST: digest(content)}, indent=2, ensure_ascii=False) + "\n").encode()


def code_files() -> Iterator[str]:
    """The workflow files of this checkout, sorted; without studies, which name folders, and without weights."""
    yield from CODE
    for folder in CODE_FOLDERS:
        for path in files_matching(ROOT / "workflow" / folder, "**/*"):
            if path.suffix in CODE_SUFFIXES:
                yield path.relative_to(ROOT).as_posix()
