"""Every known number of the paper beside the one that this study measured."""

import numpy as np
import pandas as pd

from ..significance.macro import MACRO
from .claim import lacking
from .efficiency_claims import MEMORY, SPEED, as_published, rows
from .findings import PAPER_AUTOENCODERS, PAPER_DATASETS, Findings, without_nan
from .gap_claims import gaps

IDENTITY = ["kind", "dataset", "autoencoder", "row", "metric", "place"]
MEASURED = ["measured", "measured_high", "sd", "ci_low", "ci_high", "n", "difference", "difference_high"]
NUMBER_COLUMNS = [*IDENTITY, "published", "published_high", *MEASURED, "status"]
AS_MEASURED, PHANTOM = "measured", "phantom data, no reproduction"
CHUNKED = "measured with images decoded a few at a time, which sets their peak memory"


def compare_published(findings: Findings) -> pd.DataFrame:
    """A row per published number; of a range, measured and difference are those of its two ends.

    `status` is `measured`, or says in words why there is no number; phantom data give no difference.
    """
    lines = [without_nan(_line(line, findings)) for line in findings.published.to_dict("records")]
    return pd.DataFrame(lines, columns=NUMBER_COLUMNS, dtype=object)


def _line(line: dict, findings: Findings) -> dict:
    known = {"published": line["value"], "published_high": line["high"]}
    row = dict.fromkeys(NUMBER_COLUMNS, "n/a") | {key: line[key] for key in IDENTITY} | known
    names = datasets_of(line)
    if missing := lacking(names, autoencoders_of(line), findings):
        return row | {"status": f"not in this study: {', '.join(missing)}"}
    measure, without = MEASURE[line["kind"]]
    found = measure(line, findings)
    if not found or np.isnan(found["measured"]):
        return row | {"status": f"not in this study: {without}"}
    identical = found.pop("identical", 0)
    row |= found
    if any(map(findings.synthetic, names)):
        return row | {"status": PHANTOM}
    row["difference"] = row["measured"] - line["value"]
    if np.isfinite(line["high"]):
        row["difference_high"] = found.get("measured_high", row["measured"]) - line["high"]
    if line["metric"] == MEMORY and "image" in line["row"]:
        return row | {"status": CHUNKED}
    subsets = [findings.dataset(name) for name in names if findings.cards[name].get("subset")]
    limits = [f"on a part of {', '.join(subsets)}"] if subsets else []
    limits += [f"without {identical:,} that came back identical"] if identical and np.isfinite(row["measured"]) else []
    return row | {"status": " ".join([AS_MEASURED, ", ".join(limits)]).strip()}


def datasets_of(line: dict) -> list[str]:
    """The datasets that a published number is about: the four of Table 1 where it names none."""
    return [*PAPER_DATASETS] if line["dataset"] in (MACRO, "n/a") else [line["dataset"]]


def autoencoders_of(line: dict) -> list[str]:
    """The autoencoders that a published number is about: all five, where it is of every one."""
    if line["autoencoder"] == "n/a" and line["kind"] in ("gap", "p_value"):
        return [*PAPER_AUTOENCODERS]
    return [] if line["autoencoder"] == "n/a" else [line["autoencoder"]]


def _fidelity(line: dict, findings: Findings) -> dict:
    found = findings.rows("table2", metric=line["metric"], autoencoder=line["autoencoder"], dataset=datasets_of(line))
    if len(found) < len(datasets_of(line)):
        return {}
    one = {"sd": found["sd"].iloc[0], "n": int(found["n"].iloc[0])} if len(found) == 1 else {"n": len(found)}
    identical = int(found["identical"].sum()) if line["metric"] == "psnr" else 0
    return {"measured": found["mean"].mean(), "identical": identical} | one


def _score(line: dict, findings: Findings) -> dict:
    where = {"metric": line["metric"], "space": line["row"], "autoencoder": line["autoencoder"]}
    found = findings.rows("table1", **where, dataset=[*PAPER_DATASETS])
    return {"measured": found["mean"].mean(), "n": len(found)} if len(found) == len(PAPER_DATASETS) else {}


def _ablation(line: dict, findings: Findings) -> dict:
    where = {key: line[key] for key in ("autoencoder", "row", "metric")}
    if set(findings.rows("table4").get("dataset", [])) != {*PAPER_DATASETS, MACRO}:
        return {}  # a macro average over other datasets is another number
    found = findings.rows("table4", dataset=MACRO, **where)
    if found.empty:
        return {}
    row = found.iloc[0]
    return {"measured": row["mean"], "sd": row["sd"], "n": int(row["n_folds"])}


def _gap(line: dict, findings: Findings) -> dict:
    cells = gaps(findings, dataset=line["dataset"], autoencoder=autoencoders_of(line))
    return _ends(cells) if len(cells) == len(autoencoders_of(line)) else {}


def _residual(line: dict, findings: Findings) -> dict:
    comparison = f"{line['row']}_vs_reconstruction"
    cells = findings.tested(
        "ablation", "corrected_paired_t", comparison, autoencoder=line["autoencoder"], dataset=[*PAPER_DATASETS]
    )
    return _ends([cell.negated() for cell in cells]) if len(cells) == len(PAPER_DATASETS) else {}


def _ends(cells: list) -> dict:
    if not cells:
        return {}
    if len(cells) == 1:
        (cell,) = cells
        return {"measured": cell.effect, "ci_low": cell.low, "ci_high": cell.high, "n": cell.n}
    effects = [cell.effect for cell in cells]
    return {"measured": min(effects), "measured_high": max(effects), "n": len(effects)}


def _efficiency(line: dict, findings: Findings) -> dict:
    found = rows(findings).get(line["row"], {}) if as_published(findings) else {}
    return {"measured": found[line["metric"]], "n": 1} if line["metric"] in found else {}


def _latent_to_image(line: dict, findings: Findings) -> dict:
    found = rows(findings)
    if not as_published(findings) or not {"latent", "image"} <= {*found}:
        return {}
    latent, image = (found[row][line["metric"]] for row in ("latent", "image"))
    measured = {SPEED: lambda: latent / image, MEMORY: lambda: image / latent}
    return {"measured": measured.get(line["metric"], lambda: latent - image)(), "n": 1}


def _p_value(line: dict, findings: Findings) -> dict:
    where = {"test": line["row"], "comparison": "reconstruction_vs_latent", "alternative": "greater"}
    found = findings.rows("wilcoxon", **where)
    pairs = len(PAPER_DATASETS) * len(PAPER_AUTOENCODERS)
    return {"measured": found["p"].iloc[0], "n": pairs} if len(found) and len(gaps(findings)) == pairs else {}


def _imbalance(line: dict, findings: Findings) -> dict:
    return {"measured": findings.cards[line["dataset"]]["imbalance_ratio"], "n": 1}


OF_TABLE3 = "Table 3 on ImageNet by an autoencoder of the paper"
MEASURE = {  # by kind: what measures it, and what a study lacks that has nothing to measure
    "fidelity": (_fidelity, "that reconstruction"),
    "score": (_score, "Table 1 on all four data sets"),
    "ablation": (_ablation, "Table 4 over all four data sets"),
    "gap": (_gap, "that gap"),
    "residual_gap": (_residual, "Table 4 over all four data sets"),
    "efficiency": (_efficiency, OF_TABLE3),
    "gain": (_latent_to_image, OF_TABLE3),
    "ratio": (_latent_to_image, OF_TABLE3),
    "p_value": (_p_value, "the twenty pairs"),
    "imbalance_ratio": (_imbalance, "its counts"),
}
