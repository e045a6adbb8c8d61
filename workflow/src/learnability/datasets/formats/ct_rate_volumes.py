"""CT-RATE slices from NIfTI volumes and finding masks, by a table `volume, mask, category` (docs/datasets.md).

The published study did not release which slices and which window it took, so both are values of the config.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import InputError
from ...storage.contracts import file_digest
from ...study.words import counted
from ..source import Source, check_samples
from .ct_rate import CLASSES, FINDINGS, patients
from .files import resolve_root
from .nifti import Volumes, crossed_slices, read_header
from .table import Table, read_table

OPENS_AT_ONCE = False  # every file is looked at
LEFT_OUT = ["2f", "2g"]  # honeycombing, pneumothorax: too rare to be classes, but no slice with them is healthy
MASK_COLUMNS = ["volume", "mask", "category"]


@dataclass
class Scan:
    """The slices of one volume that the slice rule chose, as (index, label) pairs, and those that it left out."""

    volume: str
    chosen: list[tuple[int, str]]
    conflicting: list[int]  # slices that cross masks of several categories
    empty_masks: int


def open_source(entry: dict, threads: int = 1) -> Source:
    """Take every n-th slice that crosses masks of one category, and slices away from all masks as No Finding.

    Reads every mask, slice by slice, to find where its finding lies.
    """
    root, table = open_table(entry)
    rules = [(root, volume, rows, entry["slice_rule"]) for volume, rows in table.rows.groupby("volume", sort=True)]
    scans = []
    with ThreadPoolExecutor(threads) as pool:
        for scan in pool.map(lambda arguments: choose_slices(*arguments), rules):
            scans.append(scan)
            if len(scans) % 50 == 0 or len(scans) == len(rules):
                print(f"{table.path.name}: masks of {len(scans)} of {len(rules)} volumes read", flush=True)
    counted = check_conflicts(scans, entry.get("conflicting_rows", "error"), table.path)
    rows = [(scan.volume, index, label) for scan in scans for index, label in scan.chosen]
    ids = pd.Series([f"{stem(volume)}_f{index}" for volume, index, _ in rows], dtype=str)
    samples = pd.DataFrame({"sample_id": ids, "label_name": [label for _, _, label in rows]}, dtype=str)
    samples["group"] = patients(ids, str(table.path))
    check_samples(samples, str(table.path))
    volumes = Volumes(root, entry["window"], read_rescaling(root, entry))
    return Source(
        samples=samples,
        classes=CLASSES,
        read=lambda i: volumes.read(*rows[i][:2]),
        channels=1,
        provenance={
            "tables": {name: file_digest(root / name) for name in (entry["table"], *entry.get("rescale_tables", []))},
            "hounsfield_units": "by rescale_tables" if "rescale_tables" in entry else "as the NIfTI headers scale them",
            "window": entry["window"],
            "slice_rule": entry["slice_rule"],
            **counted,
        },
        grouped=True,
        grouped_by="split and patient in the name",
        names={"stripped": table.stripped},
    )


def check_source(entry: dict) -> None:
    """Check the table, all file names, and the first volume and mask; the other masks are read when packing."""
    root, table = open_table(entry)
    volume, mask = table.rows[["volume", "mask"]].iloc[0]
    try:
        shape, _ = check_shapes(root, volume, mask)
        Volumes(root, entry["window"], read_rescaling(root, entry)).read(volume, shape[2] // 2)
    except OSError as error:
        raise InputError(f"{error}; it is the first of {table.path}") from None


def open_table(entry: dict) -> tuple[Path, Table]:
    """Open the root and its table of findings; all files of the table must exist."""
    root = resolve_root(entry["root"])
    low, high = entry["window"]
    if low >= high:
        raise InputError(f"window {entry['window']}: expected [low, high] in Hounsfield units, low below high")
    table = read_table(root / entry["table"], [*MASK_COLUMNS, "finding"])
    for name in MASK_COLUMNS:
        table.column(name)
    if table.rows.empty:
        raise InputError(f"{table.path}: no row; expected one per finding: {', '.join(MASK_COLUMNS)}")
    if "finding" not in table.rows.columns:
        table.rows["finding"] = ""
    unknown = sorted(set(table.rows["category"]) - {*FINDINGS, *LEFT_OUT})
    if unknown:
        raise InputError(f"{table.path}: categories {unknown} unknown; expected {FINDINGS}, or {LEFT_OUT} (no classes)")
    patients(table.rows["volume"].map(stem), str(table.path))
    names = pd.concat([table.rows["volume"], table.rows["mask"]]).unique()
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        raise InputError(
            f"{table.path}: {len(missing)} of {len(names)} volumes and masks missing, the first is "
            f"{root / missing[0]}; paths in the table are relative to `root`"
        )
    return root, table


def stem(volume: str) -> str:
    """Return train_9_a_1 for dataset/train/train_9/train_9_a/train_9_a_1.nii.gz."""
    return volume.rpartition("/")[2].partition(".")[0]


def check_shapes(root: Path, volume: str, mask: str) -> tuple[tuple[int, ...], float]:
    """Return the shape of a volume and the distance of its slices in millimetres.

    A mask must have the voxels of its volume; a file with several findings has them along its first axis.
    """
    (shape, zooms), (found, _) = read_header(root / volume), read_header(root / mask)
    if len(shape) != 3 or found[-3:] != shape or len(found) not in (3, 4):
        raise InputError(
            f"{root / mask}: shape {found} for the volume's {shape}; expected the voxels of {volume}, or "
            "(findings, x, y, z) with the column `finding`"
        )
    return shape, zooms[2]


def choose_slices(root: Path, volume: str, rows: pd.DataFrame, rule: dict) -> Scan:
    """Apply the slice rule to one volume; `rows` are its findings."""
    crossed: dict[str, np.ndarray] = {}
    empty = 0
    for mask, findings in rows.groupby("mask", sort=True):
        _, spacing = check_shapes(root, volume, mask)
        by_finding = crossed_slices(root / mask)  # (findings, D)
        for finding, category in zip(findings["finding"], findings["category"], strict=True):
            here = by_finding[finding_index(finding, len(by_finding), root / mask)]
            crossed[category] = crossed.get(category, False) | here
            empty += not here.any()
    categories = sum(here.astype(int) for here in crossed.values())  # (D,) how many cross each slice
    chosen = [
        (int(index), category)
        for category, here in crossed.items()
        if category in FINDINGS
        for index in np.flatnonzero(here & (categories == 1))[:: rule["every"]]
    ]
    if not empty:  # an empty mask hides where its finding is, so no slice is known to be without one
        away = away_from(categories > 0, rule["margin_mm"], spacing)
        chosen += [(int(index), "No Finding") for index in np.flatnonzero(away)[:: rule["no_finding_every"]]]
    return Scan(volume, sorted(chosen), np.flatnonzero(categories > 1).tolist(), empty)


def finding_index(finding: str, count: int, mask: Path) -> int:
    """Index of a finding in a mask file: 0 for a 3-D mask, else the value of the column `finding` (from 0)."""
    if finding == "" and count == 1:
        return 0
    if not finding.isdigit() or int(finding) >= count:
        raise InputError(
            f"{mask}: {count} finding(s) in the file and finding {finding!r} in the table; expected a number from 0 "
            f"to {count - 1} in the column `finding`"
        )
    return int(finding)


def away_from(crossed: np.ndarray, margin_mm: float, spacing_mm: float) -> np.ndarray:
    """Slices (D,) that lie more than a margin from every crossed one."""
    index = np.arange(len(crossed))
    distance = np.abs(index[:, None] - np.flatnonzero(crossed)).min(axis=1, initial=len(crossed))  # (D,)
    return distance * spacing_mm > margin_mm


def check_conflicts(scans: list[Scan], conflicting: str, table: Path) -> dict:
    """Refuse, or count, slices that cross masks of several categories; they are never chosen."""
    count = sum(len(scan.conflicting) for scan in scans)
    if count and conflicting == "error":
        first = next(scan for scan in scans if scan.conflicting)
        raise InputError(
            f"{table}: {counted(count, 'slice')} across masks of more than one category, the first is "
            f"{stem(first.volume)}_f{first.conflicting[0]}; set `conflicting_rows: drop` to leave these slices out"
        )
    empty = sum(scan.empty_masks for scan in scans)
    print(f"{table.name}: slices with several categories left out: {count}; findings with an empty mask: {empty}")
    return {"conflicting_slices_dropped": count, "empty_masks": empty}


def read_rescaling(root: Path, entry: dict) -> dict[str, tuple[float, float]] | None:
    """Read RescaleSlope and RescaleIntercept per volume from the metadata; None if files hold Hounsfield units."""
    rescaling = {}
    for name in entry.get("rescale_tables", []):
        table = read_table(root / name, ["VolumeName", "RescaleSlope", "RescaleIntercept"])
        numbers = [pd.to_numeric(table.column(key), errors="coerce") for key in ("RescaleSlope", "RescaleIntercept")]
        for volume, *scale in zip(table.column("VolumeName"), *map(pd.Series.tolist, numbers), strict=True):
            if rescaling.setdefault(volume, tuple(scale)) != tuple(scale):
                raise InputError(f"{table.path}: {volume} has two scales in `rescale_tables`; take the wrong one out")
    return rescaling or None
