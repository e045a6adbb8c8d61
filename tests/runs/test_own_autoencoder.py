"""The worked example of docs/own_autoencoder.md, word for word."""

import re

import pandas as pd

from learnability.storage.contracts import read_json
from tests.conftest import CHECKOUT, copy_checkout, run, snakemake

PAGE = (CHECKOUT / "docs" / "own_autoencoder.md").read_text(encoding="utf-8")


def test_the_example_runs_as_the_page_says(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    code, study, _ = re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE, flags=re.DOTALL)  # the last fine-tunes
    (folder / "block_dct.py").write_text(code)
    (folder / "block_dct.yaml").write_text(study)
    commands = [line.strip().split() for line in PAGE.splitlines() if line.startswith("    ") and "block_dct" in line]
    commands = [command for command in commands if command[0] in ("learnability", "snakemake")]
    assert [command[0] for command in commands] == ["learnability", "snakemake", "learnability"]
    check, whole, show = commands
    checked = " ".join(run("python", "-m", "learnability.cli", *check[1:], folder=folder).split())
    assert "round trip of 4 images of echo at 64 px: PSNR" in checked
    assert "The study can run." in checked
    snakemake(*whole[1:], folder=folder)
    assert "block_dct" in run("python", "-m", "learnability.cli", *show[1:], folder=folder)
    card = read_json(folder / "results/block_dct/encodings/echo/block_dct/autoencoder.json")
    assert (card["class"], card["channels"], card["grid"]) == ("block_dct:BlockDCT", 12, [8, 8])
    table2 = pd.read_csv(folder / "results/block_dct/tables/table2.csv").set_index(["autoencoder", "metric"])["mean"]
    assert 20 < table2["block_dct", "psnr"] < 60
    # Encodings and what reads them follow an edit of the class; the control does not.
    (folder / "block_dct.py").write_text(code.replace('"""The `kept`', '"""Of JPEG: the `kept`'))
    planned = snakemake("-n", *whole[1:], folder=folder)
    assert "Encoding echo with block_dct" in planned
    assert "Encoding echo with pixel_unshuffle_8" not in planned
