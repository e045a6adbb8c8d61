"""What must hold for the files of every finished study; checked for the tiny study in tests/runs and for the demo."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from learnability.storage.contracts import SCORES, read_json
from tests.chromium import ask
from tests.conftest import CHECKOUT, snakemake
from tests.findings import ROWS

DEMO = {"results": "results/demo", "dataset": "phantom_skin", "autoencoder": "tiny_flux2"}  # what the pages name


def scores(results: Path, dataset: str, space: str, autoencoder: str, recipe: str) -> pd.DataFrame:
    """The scores of a cell from its runs, with a row for each of two folds."""
    cell = results / "runs" / dataset / space / autoencoder / recipe
    return pd.DataFrame([read_json(cell / f"fold{fold}/metrics.json") for fold in (0, 1)])[SCORES]


def assert_table4(results: Path, datasets: set[str], autoencoder: str) -> None:
    """Every row must have the mean of the runs that it names, on every data set; two rows must equal Table 1's."""
    table = pd.read_csv(results / "tables/table4.csv")
    found = table.groupby(["dataset", "row"])["metric"].apply(set)
    assert set(found.index) == {(dataset, row) for dataset in (*datasets, "macro") for row in ROWS}
    assert all(metrics == set(SCORES) for metrics in found)
    assert (table["n_folds"] == 2).all()
    for (dataset, row), part in table[table["dataset"] != "macro"].groupby(["dataset", "row"]):
        space, recipe = ROWS[row]
        assert set(zip(part["space"], part["recipe"], strict=True)) == {(space, recipe)}
        means = scores(results, dataset, space, autoencoder, recipe).mean()
        np.testing.assert_allclose(part.set_index("metric")["mean"][SCORES], means, rtol=1e-12)
    for _, part in table.groupby("dataset"):  # otherwise a wrong row would not show
        assert not part.pivot(index="row", columns="metric", values="mean").duplicated().any()
    in_table1 = pd.read_csv(results / "tables/table1.csv").query(f"autoencoder == '{autoencoder}'")
    both = table.merge(in_table1, on=["dataset", "space", "recipe", "metric"])
    assert len(both) == len(datasets) * 2 * 3
    assert (both["mean_x"] == both["mean_y"]).all()


def assert_values_of_searches(results: Path, count: int) -> None:
    """A tuned run must have the values that its own search found."""
    searches = list(results.glob("searches/*/*/tuned/fold*/best.json"))
    assert len(searches) == count
    for best in searches:
        found = read_json(best)
        run = results / "runs" / found["dataset"] / "latent" / found["autoencoder"] / "tuned" / f"fold{found['fold']}"
        trained = read_json(run / "model.json")["trained_by"]
        assert found["scope"] == "fold"
        assert (trained["lr"], trained["mask"]) == (found["values"]["lr"], found["values"]["mask"])
        assert trained["distill"]["hard_weight"] == found["values"]["distill.hard_weight"]


def noise_curves(results: Path, count: int) -> list[pd.DataFrame]:
    """Scores over the noise level for every run trained with noise; at level 0 they must equal those of the run."""
    curves = [pd.read_parquet(path) for path in results.glob("runs/*/latent/*/noise_conditioned/*/noise_curve.parquet")]
    assert len(curves) == count
    for curve in curves:
        folder = "runs/{dataset}/{space}/{autoencoder}/{recipe}/fold{fold}".format(**curve.iloc[0])
        metrics = read_json(results / folder / "metrics.json")
        assert curve.iloc[0]["sigma"] == 0
        assert curve.iloc[0][SCORES].to_dict() == {name: metrics[name] for name in SCORES}
    return curves


def table3_under_one_budget(results: Path) -> pd.DataFrame:
    """Table 3; its four rows must have one budget."""
    table = pd.read_csv(results / "tables/table3.csv")
    assert set(table["row"]) == {"image", "image_cached", "latent", "latent_distilled"}
    assert table["budget_s"].nunique() == 1
    return table


def assert_gap_decomposition(results: Path, autoencoder: str) -> None:
    """The four gaps must be differences of the runs' means; the control must be the lossless one on the grid."""
    gaps = pd.read_csv(results / "significance/gap_decomposition.csv", keep_default_na=False)
    assert set(gaps["control"]) == {"pixel_unshuffle_8"}
    for row in gaps.to_dict("records"):

        def mean(space, name, recipe, row=row):
            return scores(results, row["dataset"], space, name, recipe)[row["metric"]].mean()

        paper = mean("reconstruction", autoencoder, "image") - mean("latent", autoencoder, "latent")
        matched = mean("reconstruction", autoencoder, "matched") - mean("latent", autoencoder, "matched")
        control = mean("image", "original", "matched") - mean("latent", "pixel_unshuffle_8", "matched")
        found = [float(row[f"gap_{name}"]) for name in ("paper", "matched", "control", "encoding")]
        np.testing.assert_allclose(found, [paper, matched, control, matched - control], atol=1e-12)


def assert_controls(results: Path, dataset: str) -> pd.DataFrame:
    """The gaps of controls must be differences of the runs' means; return them by control and recipe."""
    controls = pd.read_csv(results / "significance/controls.csv", keep_default_na=False).set_index(
        ["control", "recipe"]
    )

    def mean(*cell):
        return scores(results, dataset, *cell)["balanced_accuracy"].mean()

    image = mean("image", "original", "matched")
    expected = {
        ("pixel_unshuffle_8", "matched"): image - mean("latent", "pixel_unshuffle_8", "matched"),
        ("enciphered_8", "matched"): image - mean("latent", "enciphered_8", "matched"),
        ("image_again", "matched"): image - mean("image", "original", "image_again"),
        ("pixel_unshuffle_8", "table1"):
            mean("image", "original", "image") - mean("latent", "pixel_unshuffle_8", "latent"),
    }  # fmt: skip
    assert controls["effect"].to_dict() == pytest.approx(expected, abs=1e-12)
    cipher = controls.loc["enciphered_8", "matched"]
    assert float(cipher["score"]) == pytest.approx(mean("latent", "enciphered_8", "matched"), abs=1e-12)
    again = results / "runs" / dataset / "image/original/image_again"
    assert [read_json(again / f"fold{fold}/metrics.json")["seed"] for fold in (0, 1)] == [1000, 1001]
    same = (results / f"encodings/{dataset}/enciphered_8/reconstructions.npy").read_bytes()
    assert same == (results / f"datasets/{dataset}/images_small.npy").read_bytes()
    return controls


def assert_python_of_the_pages(folder: Path, results: str, dataset: str, autoencoder: str) -> None:
    """The code of docs/one_number.md and docs/inspect.md, run for this study, must print the numbers of its table."""
    names = {"results": results, "dataset": dataset, "autoencoder": autoencoder}
    printed = io.StringIO()
    for page in ("one_number", "inspect"):
        text = (CHECKOUT / f"docs/{page}.md").read_text(encoding="utf-8")
        (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        for kind, name in DEMO.items():
            assert name in code
            code = code.replace(name, names[kind])
        with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), {})
    of_cell = scores(folder / results, dataset, "latent", autoencoder, "latent")["balanced_accuracy"]
    first, *recalls = printed.getvalue().splitlines()
    assert first == f"{of_cell.mean():.3f}"
    classes = read_json(folder / results / f"datasets/{dataset}/dataset.json")["classes"]
    recalls = [float(line.split()[-1]) for line in recalls[: len(classes)]]
    assert np.mean(recalls) == pytest.approx(of_cell[0], abs=1e-5)


# ---- The pages, as a browser sees them ----


def printed_in_table1(results: Path) -> list[str]:
    """The numbers of Table 1 as printed."""
    table1 = pd.read_csv(results / "tables/table1.csv")
    pairs = table1[["mean", "sd"]].to_numpy()
    return [" ± ".join(re.sub(r"^(-?)0", r"\1", f"{value:.3f}") for value in pair) for pair in pairs]


def figures_of(results: Path) -> set[str]:
    return {path.stem for path in results.glob("figures/*.svg")}


def assert_summary_in_a_browser(results: Path, figures: set[str], folder: Path) -> None:
    """The page must have every number of Table 1, these figures and no dead link, and must fit the window."""
    page = results / "summary.html"
    answer, console = ask(
        page, folder,
        "const images = [...document.images].map(image => image.naturalWidth);"
        "const links = [...document.querySelectorAll('nav a')].map(a => document.querySelector(a.hash) !== null);"
        "return {text: document.querySelector('#table-1').innerText, images, links, title: document.title,"
        " wide: document.documentElement.scrollWidth > window.innerWidth};",
    )  # fmt: skip
    assert console == []
    assert [number for number in printed_in_table1(results) if number not in answer["text"]] == []
    assert len(answer["images"]) == len(figures)
    assert all(width > 0 for width in answer["images"])
    assert all(answer["links"])
    assert not answer["wide"]
    assert page.stat().st_size < 2_000_000


def assert_report_in_a_browser(results: Path, figures: set[str], place: Path, *study: str, **options) -> None:
    """Snakemake's report must show Table 1 after a click, and these figures; it must contain tables and tests."""
    made = place / "made" / "report.html"
    made.parent.mkdir()
    snakemake("--profile", "profiles/local", *study, "--report", str(made), **options)
    answer, console = ask(
        made, place,
        "const item = text => [...document.querySelectorAll('a, td')].find(e => e.textContent.trim() === text);"
        "item('Tables').click(); await pause();"
        "item('Table 1').closest('tr').querySelector('a').click(); await pause();"
        "const uri = document.querySelector('iframe').src;"
        "const page = await (await fetch(uri)).text();"
        "const text = new DOMParser().parseFromString(page, 'text/html').body.textContent;"
        "const widths = {}; for (const [path, entry] of Object.entries(results)) {"
        " if (!entry.mime_type.startsWith('image/')) continue;"
        " const image = new Image(); image.src = entry.data_uri; await image.decode();"
        " widths[path] = image.naturalWidth; }"
        "return {text, widths, paths: Object.keys(results)};",
    )  # fmt: skip
    assert [line for line in console if "tailwindcss" not in line] == []  # tailwindcss warns about itself
    assert [number for number in printed_in_table1(results) if number not in answer["text"]] == []
    assert {Path(path).stem for path in answer["widths"]} == figures
    assert all(width > 0 for width in answer["widths"].values())
    names = {Path(path).stem for path in answer["paths"]}
    assert names >= {"table1", "table2", "table3", "table4", "claims", "published", "summary", "wilcoxon", "ablation"}
