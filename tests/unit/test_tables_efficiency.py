"""Table 3: what is refused before rows are compared, the headline batch, ratios, and what a reader sees."""

import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.storage.contracts import write_csv
from learnability.tables.labels import Labels
from learnability.tables.table3 import render_table3, table3
from tests.rendered import html_grid, latex_rows, markdown_rows
from tests.scored_runs import only

COLUMNS = ["row", "dataset", "autoencoder", "space", "recipe", "metric", "value", "batch_size", "budget_s", "device"]
ROWS = {
    "image": "Image",
    "image_cached": "Image, cached",
    "latent": "Latent",
    "latent_distilled": "Latent + distillation",
}
LABELS = Labels({"imagenet": "ImageNet", "skin": "Skin"}, {"flux2": "Flux.2"}, rows=ROWS)
# The paper's figures for a row decoded on the fly and for latents; those of training are made up.
IMAGE = {"inference": {64: (30.04, 9000), 256: (50, 20000)}, "train": {64: (20, 30000)}}
CACHED = {"inference": {64: (300.4, 9000), 256: (500, 20000)}, "train": {64: (200, 30000)}}
LATENT = {"inference": {64: (2900, 150), 256: (3200, 166), 1024: (3300, 400)}, "train": {64: (1000.4, 512.25)}}


def measured(row, costs, scores=(0.63, 0.996, 0.629), dataset="imagenet", **changes):
    """The file of one row."""
    lines = [(metric, value, 256) for metric, value in zip(("balanced_accuracy", "auc", "mcc"), scores, strict=True)]
    for stage, sizes in costs.items():
        for size, (speed, memory) in sizes.items():
            lines += [(f"{stage}_samples_per_second", speed, size), (f"{stage}_peak_mb", memory, size)]
    frame = pd.DataFrame(lines, columns=["metric", "value", "batch_size"])
    labels = {"row": row, "dataset": dataset, "autoencoder": "flux2", "budget_s": 86400, "device": "NVIDIA X"}
    labels |= {"space": "latent" if row.startswith("latent") else "reconstruction", "recipe": row}
    return frame.assign(**labels | changes)[COLUMNS]


def four_rows(dataset="imagenet"):
    return [
        measured("image", IMAGE, (0.459, 0.98, 0.45), dataset),
        measured("image_cached", CACHED, (0.5, 0.985, 0.49), dataset),
        measured("latent", LATENT, dataset=dataset),
        measured("latent_distilled", LATENT, (0.711, 0.993, 0.71), dataset),
    ]


def test_table3_holds_every_measured_line(tmp_path):
    frames = four_rows()
    table = table3(frames)
    assert list(table.columns) == COLUMNS
    assert len(table) == sum(map(len, frames))
    assert list(table["row"].unique()) == ["image", "image_cached", "latent", "latent_distilled"]
    row = only(table, row="latent", metric="inference_peak_mb", batch_size=1024)
    assert (row["value"], row["budget_s"], row["device"]) == (400, 86400, "NVIDIA X")
    write_csv(table, tmp_path / "table3.csv")


def test_table3_of_rows_as_read_from_their_files(tmp_path):
    for i, frame in enumerate(four_rows()):
        write_csv(frame.assign(budget_s="n/a"), tmp_path / f"{i}.csv")
    table = table3([pd.read_csv(tmp_path / f"{i}.csv", keep_default_na=False) for i in range(4)])
    assert "without a time budget" in render_table3(table, LABELS)["md"]


def test_table3_layout():
    rendered = render_table3(table3(four_rows()), LABELS, ["The teacher's own budget is not counted."])
    heads, *rows = markdown_rows(rendered["md"])
    costs = ["Inference samples/s", "Inference MB", "Training samples/s", "Training MB"]
    assert heads == ["Data", "Classifier", "Scores bACC", "Scores AUC", "Scores MCC", *costs]
    assert rows == [
        ["ImageNet, Flux.2", "Image", ".459", ".980", ".450", "50", "20,000", "20", "30,000"],
        ["", "Image, cached", ".500", ".985", ".490", "500", "20,000", "200", "30,000"],
        ["", "Latent", ".630", ".996", ".629", "3,200", "166", "1,000", "512"],
        ["", "Latent + distillation", ".711", ".993", ".710", "3,200", "166", "1,000", "512"],
        ["", "Latent : Image", "–", "–", "–", "64 : 1", "1 : 120", "50 : 1", "1 : 58.6"],
        ["", "Latent : Image, cached", "–", "–", "–", "6.4 : 1", "1 : 120", "5 : 1", "1 : 58.6"],
    ]
    top, second, *body = html_grid(rendered["html"])
    assert top == ["Data", "Classifier", *["Scores"] * 3, *["Inference"] * 2, *["Training"] * 2]
    assert second[2:] == ["bACC", "AUC", "MCC", "samples/s", "MB", "samples/s", "MB"]
    assert [row[1:] for row in body[:-1]] == [row[1:] for row in rows]
    words = ElementTree.fromstring(rendered["html"]).iterfind("body/table/tbody/tr/td[@class='name']")
    assert [cell.text for cell in words] == [row[1] for row in rows]
    top, second, *body = latex_rows(rendered["tex"])
    assert top == ["", "", *["Scores"] * 3, *["Inference"] * 2, *["Training"] * 2]
    in_tex = [[cell.replace("–", "--") for cell in row] for row in rows]
    in_tex[0][0], in_tex[1][0] = in_tex[0][0].split()  # in two rows, so that all stands side by side
    assert body == in_tex
    assert r"\cmidrule(lr){3-5}\cmidrule(lr){6-7}\cmidrule(lr){8-9}" in rendered["tex"]
    assert rendered["tex"].count(r"\midrule") == 2
    for text in rendered.values():
        assert "The teacher's own budget is not counted." in text.replace("&#x27;", "'")


def test_the_headline_is_the_largest_batch_that_all_rows_have():
    caption = render_table3(table3(four_rows()), LABELS)["md"].partition("\n\n")[0]
    assert "inference (batch size 256) and of training (batch size 64)" in caption
    assert "for 24 h of wall-clock time on NVIDIA X" in caption
    assert "hantom" not in caption


@pytest.mark.parametrize(
    ("budget", "words"), [(5400, "for 90 min"), (45, "for 45 s"), (0.5, "for 0.5 s"), (3600.0, "for 1 h")]
)
def test_the_budget_is_said_in_its_unit(budget, words):
    table = table3([measured("latent", LATENT, budget_s=budget)])
    assert f"{words} of wall-clock time" in render_table3(table, LABELS)["md"]


def test_a_table_without_images_has_no_ratios():
    rendered = render_table3(table3(four_rows()[2:]), LABELS)
    assert [row[1] for row in markdown_rows(rendered["md"])[1:]] == ["Latent", "Latent + distillation"]
    assert rendered["tex"].count(r"\midrule") == 1


def test_equal_images_that_were_kept_are_a_footnote():
    labels = Labels(LABELS.datasets, LABELS.autoencoders, rows=LABELS.rows, leaking={"imagenet": 7})
    for text in render_table3(table3(four_rows()), labels).values():
        assert "ImageNet: 7 images have an identical copy in another group and were kept" in text


def test_each_dataset_has_its_block_and_phantoms_are_named():
    labels = Labels(LABELS.datasets, LABELS.autoencoders, frozenset({"skin"}), LABELS.rows)
    rendered = render_table3(table3([*four_rows(), *four_rows("skin")]), labels)
    names = [row[0] for row in markdown_rows(rendered["md"])[1:] if row[0]]
    assert names == ["ImageNet, Flux.2", "Skin (phantom), Flux.2"]
    assert "Phantom data: synthetic images, not patients." in rendered["tex"]


def changed(position, **changes):
    """The four rows, of which one has other values."""
    return [frame.assign(**changes) if i == position else frame for i, frame in enumerate(four_rows())]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no rows; expected one file per row"),
        ([four_rows()[0].drop(columns="device")], r"columns \['row', .*'budget_s'\], expected"),
        (changed(2, device="CPU"), "image has NVIDIA X; latent has CPU; rows are compared at one device"),
        (changed(3, budget_s=60), "image has 86400; latent_distilled has 60; rows are compared at one budget_s"),
        (changed(3, budget_s="n/a"), "latent_distilled has n/a; rows are compared at one budget_s"),
        (changed(0, metric="speed"), "row image, .*metric speed, batch_size 256: unknown metric"),
        (changed(0, value="fast"), "row image, .*metric balanced_accuracy, .*not a finite number"),
        (changed(0, value=float("inf")), "row image, .*not a finite number"),
        (changed(1, value=0), "row image_cached, .*metric inference_samples_per_second, .*not above 0"),
        ([*four_rows(), four_rows()[2]], "row latent, .*metric balanced_accuracy, batch_size 256: appears twice"),
        (
            [pd.concat([four_rows()[2], four_rows()[2][1:2].assign(batch_size=64)])],
            "row latent, .*metric auc, batch_size 64: appears twice",
        ),
        ([four_rows()[0].query("metric != 'auc'")], "row image, dataset imagenet, autoencoder flux2: auc is missing"),
        ([measured("latent", {"inference": LATENT["inference"]})], "flux2: train_samples_per_second is missing"),
        (
            [measured("image", IMAGE), measured("latent", LATENT | {"train": {128: (1, 1)}})],
            r"no batch size is common to all rows: .*image.*train_peak_mb at \[64\].*latent.* at \[128\]",
        ),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(frames, message):
    with pytest.raises(InputError, match=message):
        table3(frames)


def test_a_row_without_a_label_is_refused():
    with pytest.raises(InputError, match="mine is in the table but has no label"):
        render_table3(table3([measured("mine", LATENT)]), LABELS)


def test_latex_needs_nothing_but_booktabs():
    tex = render_table3(table3(four_rows()), LABELS, ["×64 – “quoted” & more"])["tex"]
    assert not set(tex) & set("±∞–−×≤≥<>|~^†‡⋆⋄")
    unescaped = re.sub(r"\\[\\{}]", "", tex)
    assert unescaped.count("{") == unescaped.count("}")
