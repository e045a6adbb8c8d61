"""Published numbers beside the measured ones."""

from dataclasses import replace

import numpy as np
import pytest

from learnability.errors import InputError
from learnability.paper.findings import PAPER_AUTOENCODERS, PAPER_DATASETS, read_published
from learnability.paper.layouts import render_published
from learnability.paper.published_numbers import MEASURE, NUMBER_COLUMNS, compare_published
from tests.findings import GAPS, made_up, table3_of
from tests.rendered import latex_rows
from tests.scored_runs import only

ALL = {"kind": "fidelity", "metric": "psnr"}


@pytest.fixture(scope="module")
def findings():
    return made_up()


@pytest.fixture(scope="module")
def numbers(findings):
    return compare_published(findings)


def test_the_published_numbers_are_those_of_the_paper():
    known = read_published()
    assert not known.duplicated(["kind", "dataset", "autoencoder", "row", "metric", "place"]).any()
    fidelity = known[known["kind"] == "fidelity"]
    assert set(known["kind"]) == set(MEASURE)
    in_table2 = fidelity[fidelity["place"] == "Table 2"]
    assert len(in_table2) == 2 * len(PAPER_DATASETS) * len(PAPER_AUTOENCODERS)
    psnr = in_table2[in_table2["metric"] == "psnr"].pivot(index="autoencoder", columns="dataset", values="value")
    # The text gives three of the averages of the table.
    for name in ("flux2", "medvae", "medvae_ft"):
        text = only(fidelity, autoencoder=name, dataset="macro", metric="psnr")["value"]
        assert psnr.loc[name].mean() == pytest.approx(text, abs=0.0501)
    assert only(known, kind="p_value")["value"] == pytest.approx(1 / 2**20, rel=0.01)
    budget = known[(known["kind"] == "efficiency") & (known["metric"] == "balanced_accuracy")].set_index("row")["value"]
    gain = only(known, kind="gain")["value"]
    assert budget["latent"] - budget["image"] == pytest.approx(gain, abs=0.005)
    costs = known[known["kind"] == "efficiency"].set_index(["row", "metric"])["value"]
    ratios = known[known["kind"] == "ratio"].set_index("metric")["value"]
    speed, memory = "inference_samples_per_second", "inference_peak_mb"
    assert costs["latent", speed] / costs["image", speed] == ratios[speed]
    assert costs["image", memory] / costs["latent", memory] == pytest.approx(ratios[memory], rel=0.01)


def test_a_file_with_other_columns_is_refused(tmp_path):
    (tmp_path / "published.csv").write_text("kind,value\nfidelity,1\n")
    with pytest.raises(InputError, match=r"published.csv: columns \['kind', 'value'\], expected"):
        read_published(tmp_path / "published.csv")


def test_images_that_came_back_identical_are_said_beside_the_number():
    found = made_up()
    rows = found.frames["table2"]
    one = (rows["autoencoder"] == "sd14") & (rows["dataset"] == "cardium") & (rows["metric"] == "psnr")
    rows.loc[one, "identical"] = 3
    numbers = compare_published(found)
    row = only(numbers, kind="fidelity", dataset="cardium", autoencoder="sd14", metric="psnr", place="Table 2")
    assert row["status"] == "measured without 3 that came back identical"
    assert "Measured without 3 that came back identical." in render_published(numbers, found)["md"]
    assert (numbers["status"] == row["status"]).sum() == 1


def test_each_number_stands_beside_the_measured_one(numbers):
    assert list(numbers.columns) == NUMBER_COLUMNS
    memory = (numbers["metric"] == "inference_peak_mb") & numbers["row"].isin(["image", "latent_vs_image"])
    assert (numbers.loc[~memory, "status"] == "measured").all()
    assert set(numbers.loc[memory, "status"]) == {
        "measured with images decoded a few at a time, which sets their peak memory"
    }
    row = only(numbers, **ALL, dataset="cardium", autoencoder="sd14")
    assert (row["published"], row["measured"], row["sd"], row["n"]) == (
        30.5,
        pytest.approx(34.3),
        pytest.approx(1.0),
        3,
    )
    assert row["difference"] == pytest.approx(3.8)
    macro = only(numbers, **ALL, dataset="macro", autoencoder="flux2")
    assert (macro["measured"], macro["difference"]) == (pytest.approx(41.4), pytest.approx(0.0))


def test_a_range_is_compared_end_by_end(numbers):
    place = "section 3: The learnability gap is large and consistent"
    row = only(numbers, kind="gap", dataset="isic2019", autoencoder="n/a", place=place)
    assert (row["measured"], row["measured_high"]) == pytest.approx((0.19, 0.278))
    assert (row["difference"], row["difference_high"]) == pytest.approx((0.01, 0.0))
    one = only(numbers, kind="gap", autoencoder="sd14")
    assert (one["measured"], one["difference"], one["measured_high"]) == (pytest.approx(0.278), pytest.approx(0), "n/a")
    assert one["ci_high"] - one["measured"] == pytest.approx(1.6029 * 0.002, rel=1e-3)
    residual = only(numbers, kind="residual_gap")
    assert (residual["measured"], residual["measured_high"]) == pytest.approx((0.07, 0.07))


def test_the_other_numbers(numbers):
    assert only(numbers, kind="p_value")["measured"] == 1 / 2**20
    assert only(numbers, kind="ablation", row="tuned", metric="auc")["measured"] == pytest.approx(0.59)
    assert only(numbers, kind="efficiency", row="image", metric="balanced_accuracy")["difference"] == 0
    assert only(numbers, kind="ratio", metric="inference_samples_per_second")["measured"] == 64
    assert only(numbers, kind="gain")["measured"] == pytest.approx(0.171)
    latent = [0.7 - 0.001 * number - GAPS[dataset][3] for number, dataset in enumerate(PAPER_DATASETS)]
    assert only(numbers, kind="score", autoencoder="medvae")["measured"] == pytest.approx(np.mean(latent))


def test_a_phantom_is_no_reproduction():
    findings = made_up(synthetic=("cardium",))
    numbers = compare_published(findings)
    row = only(numbers, **ALL, dataset="cardium", autoencoder="sd14")
    assert (row["measured"], row["difference"]) == (pytest.approx(34.3), "n/a")
    assert row["status"] == "phantom data, no reproduction"
    assert only(numbers, **ALL, dataset="macro", autoencoder="flux2")["status"] == row["status"]
    assert only(numbers, **ALL, dataset="isic2019", autoencoder="sd14")["status"] == "measured"
    text = render_published(numbers, findings)
    assert "34.3 (phantom)" in text["md"]
    assert all("Phantom data: synthetic images, not patients." in part for part in text.values())


def test_equal_images_that_were_kept_are_a_footnote():
    findings = made_up()
    findings = replace(findings, labels=replace(findings.labels, leaking={"cardium": 7}))
    text = render_published(compare_published(findings), findings)["md"]
    assert text.count("Cardium: 7 images have an identical copy in another group and were kept") == 4


def test_what_was_not_measured_says_so():
    findings = made_up(gaps={"ct_rate": GAPS["ct_rate"]}, without=("table3",))
    numbers = compare_published(findings)
    lacking = only(numbers, **ALL, dataset="isic2019", autoencoder="sd14")
    assert (lacking["measured"], lacking["status"]) == ("n/a", "not in this study: ISIC-2019")
    assert only(numbers, **ALL, dataset="ct_rate", autoencoder="sd14")["status"] == "measured"
    assert only(numbers, kind="gain")["status"] == f"not in this study: {TABLE3}"
    assert only(numbers, kind="p_value")["status"].endswith("ISIC-2019, MIMIC-LT, Cardium")
    text = render_published(numbers, findings)["md"]
    assert "Not in this study: ISIC-2019, MIMIC-LT, Cardium." in text
    assert "not measured" in text


TABLE3 = "Table 3 on ImageNet by an autoencoder of the paper"


@pytest.mark.parametrize("other", [{"dataset": "isic2019"}, {"autoencoder": "own"}])
def test_another_table_3_is_not_the_published_one(other):
    numbers = compare_published(made_up(table3=table3_of(**other)))
    rows = numbers[numbers["kind"].isin(["efficiency", "gain", "ratio"])]
    assert set(rows["status"]) == {f"not in this study: {TABLE3}"}
    assert set(rows["measured"]) == {"n/a"}


def test_a_range_over_every_autoencoder_needs_them_all(numbers):
    gaps = {name: values[:1] for name, values in GAPS.items()}
    one = compare_published(made_up(gaps, autoencoders=("sd14",), psnr=(34.3,)))
    ranges = one[(one["kind"] == "gap") & (one["autoencoder"] == "n/a")]
    assert set(ranges["status"]) == {"not in this study: Flux.1, Flux.2, MedVAE, MedVAE-FT"}
    assert set(ranges["measured"]) == {"n/a"}
    assert only(one, kind="gap", autoencoder="sd14")["measured"] == pytest.approx(0.278)
    own = {name: [*values, 0.03] for name, values in GAPS.items()}
    study = {"autoencoders": (*PAPER_AUTOENCODERS, "own"), "psnr": (34.3, 40.2, 41.4, 29.9, 38.9, 40.0)}
    more = compare_published(made_up(own, **study))
    for frame in (numbers, more):
        rows = frame[(frame["kind"] == "gap") & (frame["dataset"] == "isic2019") & (frame["autoencoder"] == "n/a")]
        assert rows["measured"].tolist() == pytest.approx([0.19, 0.19])
    assert only(more, kind="p_value")["status"] == "not in this study: the twenty pairs"


def test_published_numbers_as_they_are_read(numbers, findings):
    text = render_published(numbers, findings)
    first, *others = text["tex"].split(r"\end{table}")[:-1]
    assert len(others) == 3
    rows = latex_rows(first)
    assert rows[2][:4] == ["SD 1.4", "published", ".924", "34.2"]
    assert rows[3][:4] == ["", "measured", ".900", "34.3"]
    assert rows[4][:4] == ["", "difference", "$-$.024", "+0.1"]
    assert text["html"].count("<table") == 4
    assert "hantom" not in text["html"]
