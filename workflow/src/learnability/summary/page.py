"""The page itself: what is read, and the template that it is set in."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..paper.claims import spoken_of
from ..paper.efficiency_claims import IMAGENET
from ..paper.findings import PAPER_DATASETS, Findings
from ..paper.verdicts import NOT_SUPPORTED, SUPPORTED, UNTESTABLE
from ..study.configuration import ROOT
from ..tables.caveats import sentences
from ..tables.labels import PHANTOM_NOTICE
from . import sources
from .answer import answer
from .conclusions import conclusions, described
from .controls import controls_in_words
from .headline import gap_matrix, tiles
from .spoiled import spoiled

CAPTIONS = ROOT / "workflow" / "report"
LARGEST_SVG = 300_000  # bytes; a figure with more is taken as a PNG, if that is smaller
FIRST = ("gap_decomposition", "gaps")  # the first of them that a study has leads
IMAGES = ("figure3",)  # figures that show images of the datasets themselves
VERDICTS = {SUPPORTED: "supported", NOT_SUPPORTED: "refuted", UNTESTABLE: "open"}


@dataclass(frozen=True)
class Material:
    """Beside the findings: metrics of Table 1's runs, autoencoder cards, files of tables and figures, the folder.

    `config` has the values of the configuration that captions name, `parameters` what they name beside these:
    `snakemake.params` of the rules that draw; `differing` is what the classifiers on both sides of the gap differ in
    beside their space; `not_shareable` the labels of the datasets whose images must not be passed on; `searches` what
    every search found (best.json); `changed` what differs from the published configuration; `written` when and
    `command` by what the page was made.
    """

    config: dict
    config_digest: str
    differing: Sequence[str]
    metrics: pd.DataFrame
    autoencoders: list[dict]
    claims: pd.DataFrame
    tables: Sequence[Path]
    published: Path
    figures: Sequence[Path]
    results: Path
    parameters: dict
    not_shareable: Sequence[str]
    searches: Sequence[dict] = ()
    changed: Sequence[str] = ()
    written: str = ""
    command: str = ""


def render_summary(findings: Findings, material: Material) -> str:
    """The page as HTML: complete in itself, every text escaped but for the tables that are pages of this study."""
    loader = FileSystemLoader(CAPTIONS)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    found = spoiled(findings, material.metrics, material.parameters.get("reweighting", {}))
    claims, others = spoken_of(material.claims)
    shown = {name: findings.dataset(name) for name in findings.datasets()}
    phantoms = [name for name in findings.datasets() if findings.synthetic(name)]
    controls = controls_in_words(
        findings.frames.get("controls"), findings.dataset, findings.names.get("autoencoders", {})
    )
    figures = [picture(path, number, material) for number, path in enumerate(embedded(material), 1)]
    return environment.get_template("summary.html.jinja").render(
        name=material.results.name,
        answer=answer(findings, controls, found),
        controls=controls,
        measured=described(findings, material.config["study"], len(material.metrics)),
        notice=PHANTOM_NOTICE if phantoms else "",
        tiles=tiles(findings),
        gaps=gap_matrix(findings, found),
        spoiled=sentences(found, shown, findings.labels.autoencoders),
        conclusions=conclusions(findings, list(material.differing), material.searches),
        claims=claims_by_part(claims),
        others=others.to_dict("records"),
        counts={verdict: int((claims["verdict"] == verdict).sum()) for verdict in VERDICTS},
        kinds=VERDICTS,
        published=tables_of(material.published) if of_the_paper(findings) else [],
        tables=[table for path in sorted(material.tables, key=table_order) for table in tables_of(path)],
        leading=[figure for figure in figures[:1] if figure["name"] in FIRST],
        figures=[figure for i, figure in enumerate(figures) if i or figure["name"] not in FIRST],
        not_shareable=material.not_shareable,
        provenance=provenance(findings, material),
    )


def provenance(findings: Findings, material: Material) -> dict:
    """From what the study was made, by which code, on which hardware and in how many hours."""
    return {
        "written": material.written,
        "command": material.command,
        "changed": material.changed,
        "config": material.config_digest,
        "code": sources.code(),
        "software": sources.software(),
        "hardware": sources.hardware(material.metrics, findings),
        "data": sources.data_sources(findings),
        "weights": sources.weight_sources(material.autoencoders, findings),
        "fetched": sources.fetched_weights(material.results),
        "hours": sources.hours(material.results),
    }


def of_the_paper(findings: Findings) -> bool:
    """Whether the study has data of the paper, so that a published number can be compared with one of its own."""
    names = [*PAPER_DATASETS, *IMAGENET]
    return any(name in findings.cards and not findings.synthetic(name) for name in names)


def table_order(path: Path) -> tuple[bool, bool, str]:
    """The gap, then the numbered tables, then the others."""
    return path.stem != "gap", not path.stem.startswith("table"), path.stem


def claims_by_part(claims: pd.DataFrame) -> dict[str, list[dict]]:
    """The claims by their part, in order."""
    parts: dict[str, list[dict]] = {}
    for row in claims.to_dict("records"):
        parts.setdefault(row["part"], []).append(row)
    return parts


def tables_of(path: Path) -> list[dict]:
    """The tables of an HTML page of this study, each with its title."""
    document = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    found = []
    for table in document.iter("table"):
        title = table.findtext("caption/b", path.stem).rstrip(".")
        text = ElementTree.tostring(table, encoding="unicode", method="html")
        found.append({"id": re.sub(r"\W+", "-", title.lower()), "title": title, "html": Markup(text)})
    return found


def embedded(material: Material) -> list[Path]:
    """The SVGs of the figures that the page holds, those of the gaps first.

    One of images is among them only if all of these may be passed on.
    """
    left_out = IMAGES if material.not_shareable else ()
    shown = [path for path in material.figures if path.suffix == ".svg" and path.stem not in left_out]
    return sorted(shown, key=lambda path: FIRST.index(path.stem) if path.stem in FIRST else len(FIRST))


def picture(path: Path, number: int, material: Material) -> dict:
    """A figure as a data URI with its number and one caption: the report's, and what the file says of itself."""
    png = path.with_suffix(".png")
    large = path.stat().st_size > LARGEST_SVG and png.is_file() and png.stat().st_size < path.stat().st_size
    kind, chosen = ("png", png) if large else ("svg+xml", path)
    data = base64.b64encode(chosen.read_bytes()).decode("ascii")
    return {
        "name": path.stem,
        "number": number,
        "source": f"data:image/{kind};base64,{data}",
        "caption": caption(path.stem, material.config, material.parameters) + " " + note_of(path),
    }


def note_of(svg: Path) -> str:
    """The description that `figures.style.save` writes into a figure."""
    found = ElementTree.parse(svg).iter("{http://purl.org/dc/elements/1.1/}description")
    return next((element.text or "" for element in found), "")


def caption(name: str, config: dict, parameters: dict) -> Markup:
    """The caption of a figure or table, filled in from the configuration; of its markup, literals and escapes."""
    path = CAPTIONS / f"{name}.rst"
    if not path.is_file():
        return Markup("")
    template = Environment(undefined=StrictUndefined).from_string(path.read_text(encoding="utf-8"))
    text = escape(template.render(snakemake=SimpleNamespace(config=config, params=SimpleNamespace(**parameters))))
    text = re.sub(r"``(.+?)``", r"<code>\1</code>", str(text))
    text = re.sub(r"(?<![\w\\*])\*([^*\n][^*]*?)\*(?![\w*])", r"<em>\1</em>", text)
    return Markup(re.sub(r"\\(\W)", r"\1", text))
